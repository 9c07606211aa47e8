//! Targets in the DNS.
//!
//! The servers are those of `/etc/resolv.conf`, which is read for each round. UDP first, TCP when an
//! answer is cut short. Names without a dot at the end are tried with the search domains as well.

mod message;
mod resolv;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use self::message::{Answer, Data, query};
use self::resolv::ResolvConf;
use super::listener::{Ask, Gone, Listener, host_port, single};
use crate::config::{DnsDiscovery, DnsRecord};
use crate::scrape::groups::TargetGroup;

/// Where the system says which servers to ask.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// How long a server may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Looks names up again and again.
pub(super) async fn follow(config: DnsDiscovery, listener: Listener) -> Result<(), Gone> {
    let interval_ms = config.refresh_interval_ms;
    let lookups = Lookups {
        resolv_conf: PathBuf::from(RESOLV_CONF),
        known: vec![Vec::new(); config.names.len()],
        config,
    };
    listener.poll(interval_ms, "dns_sd", lookups).await
}

/// What names stood for when they were last known.
struct Lookups {
    config: DnsDiscovery,
    resolv_conf: PathBuf,
    known: Vec<Vec<TargetGroup>>,
}

impl Ask for Lookups {
    /// Returns what all names stand for; one that cannot be looked up keeps what it stood for.
    async fn ask(&mut self) -> Result<Vec<TargetGroup>, String> {
        let resolv = ResolvConf::read(&self.resolv_conf).await?;
        let config = &self.config;
        for (name, known) in config.names.iter().zip(&mut self.known) {
            match lookup(name, config.record, &resolv).await {
                Ok(records) => *known = groups(name, config.port, records),
                Err(reason) => tracing::error!(name, reason, "cannot look up targets"),
            }
        }
        Ok(self.known.concat())
    }
}

/// Returns a group for each record.
fn groups(name: &str, port: u16, records: Vec<Data>) -> Vec<TargetGroup> {
    let mut groups = Vec::new();
    for record in records {
        let mut labels = [
            ("srv_record_target", String::new()),
            ("srv_record_port", String::new()),
            ("mx_record_target", String::new()),
            ("ns_record_target", String::new()),
        ];
        let address = match record {
            Data::Srv(port, host) => {
                labels[0].1.clone_from(&host);
                labels[1].1 = port.to_string();
                host_port(host.trim_end_matches('.'), port)
            }
            Data::Mx(host) => {
                labels[2].1.clone_from(&host);
                host_port(host.trim_end_matches('.'), port)
            }
            Data::Ns(host) => {
                labels[3].1.clone_from(&host);
                host_port(host.trim_end_matches('.'), port)
            }
            Data::Address(address) => host_port(&address.to_string(), port),
        };
        let meta = |name: &str| format!("__meta_dns_{name}");
        let mut all = vec![("__address__".to_owned(), address)];
        all.push((meta("name"), name.to_owned()));
        all.extend(labels.map(|(label, value)| (meta(label), value)));
        groups.push(single(format!("{name}:{}", groups.len()), all));
    }
    groups
}

/// Looks a name up in all forms that it may be meant in. That it does not exist is an answer, too.
async fn lookup(name: &str, record: DnsRecord, resolv: &ResolvConf) -> Result<Vec<Data>, String> {
    let mut problem = None;
    for name in resolv.names(name) {
        match ask_any(&name, record, resolv).await {
            Ok(Answer::Records(records)) => return Ok(records),
            Ok(Answer::NoSuchName) => {}
            Err(reason) => problem = Some(reason),
        }
    }
    match problem {
        None => Ok(Vec::new()),
        Some(reason) => Err(reason),
    }
}

async fn ask_any(name: &str, record: DnsRecord, resolv: &ResolvConf) -> Result<Answer, String> {
    let mut problem = "there is no server to ask".to_owned();
    for server in &resolv.servers {
        match tokio::time::timeout(2 * TIMEOUT, ask(name, record, *server)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => problem = format!("{server}: {reason}"),
            Err(_elapsed) => problem = format!("{server}: no answer in time"),
        }
    }
    Err(problem)
}

async fn ask(name: &str, record: DnsRecord, server: SocketAddr) -> Result<Answer, String> {
    let id = random_id();
    let query = query(id, name, record)?;
    let exchanged = tokio::time::timeout(TIMEOUT, exchange_udp(&query, id, server)).await;
    let bytes = match exchanged {
        Ok(exchanged) => exchanged.map_err(|error| error.to_string())?,
        Err(_elapsed) => return Err("no answer in time".to_owned()),
    };
    if !message::is_truncated(&bytes) {
        return message::parse(&bytes, id, record);
    }
    let bytes = exchange_tcp(&query, server)
        .await
        .map_err(|error| error.to_string())?;
    message::parse(&bytes, id, record)
}

/// Returns a number that nobody else can guess.
fn random_id() -> u16 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish() as u16
}

async fn exchange_udp(query: &[u8], id: u16, server: SocketAddr) -> std::io::Result<Vec<u8>> {
    let own = if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut bytes = vec![0; 64 << 10];
    loop {
        let length = socket.recv(&mut bytes).await?;
        // Late answers to other questions are not for us.
        if bytes.get(..2) == Some(&id.to_be_bytes()) {
            bytes.truncate(length);
            return Ok(bytes);
        }
    }
}

async fn exchange_tcp(query: &[u8], server: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let mut framed = (query.len() as u16).to_be_bytes().to_vec();
    framed.extend_from_slice(query);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
