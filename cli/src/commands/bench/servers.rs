//! Who is measured.

use std::net::{IpAddr, Ipv4Addr};

use reqwest::Url;

use crate::api::HttpApi;
use crate::args::{AccessArgs, SourceArgs};
use crate::commands::bench::process::Process;
use crate::exit::{Exit, Failure};
use crate::session::Session;
use crate::settings::{Place, load, resolve};

/// Where remote write is taken by Prometheus and most others.
const WRITE_PATH: &str = "/api/v1/write";

/// Which servers, and how to reach them.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "What is measured")]
pub(crate) struct ServersArgs {
    /// A server with the Prometheus API, `URL` or `NAME=URL`; repeat it to compare, ratios are
    /// against the first [default: `http://127.0.0.1:4600`]
    #[arg(long, value_name = "URL")]
    server: Vec<String>,
    /// Where the server takes remote write: a path of every server, or one URL for each
    /// [default: `/api/v1/write`]
    #[arg(long, value_name = "URL")]
    write_url: Vec<String>,
    /// Process of the server on this machine, in the order of `--server`; 0 for none [default: the
    /// one that listens on the port, if it can be seen]
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// A context of the configuration (`obsq ctx list`) instead of `--server`
    #[arg(long, value_name = "NAME", conflicts_with = "server")]
    context: Option<String>,
    /// Allow servers that are not on this machine: they get all the load that they can take
    #[arg(long)]
    send_load_to_remote: bool,
    #[command(flatten)]
    access: AccessArgs,
}

/// A server and what is known of it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: String,
    pub(super) api: HttpApi,
    writer: HttpApi,
    write_path: String,
    pub(super) process: Option<Process>,
}

impl Server {
    /// Returns who takes writes, and on which path.
    pub(super) fn writer(&self) -> (&HttpApi, &str) {
        (&self.writer, &self.write_path)
    }

    pub(super) fn url(&self) -> String {
        let shown = self.api.url("/").to_string();
        shown.trim_end_matches('/').to_owned()
    }
}

impl ServersArgs {
    /// Prepares to ask and write to all servers; connects to none yet.
    pub(super) fn open(&self, writes: bool, session: &Session) -> Result<Vec<Server>, Failure> {
        let named: Vec<Option<&str>> = match self.server.as_slice() {
            [] => vec![None],
            all => all.iter().map(|text| Some(text.as_str())).collect(),
        };
        let is_one_path = |urls: &[String]| matches!(urls, [one] if one.starts_with('/'));
        if !self.write_url.is_empty()
            && !is_one_path(&self.write_url)
            && self.write_url.len() != named.len()
        {
            return Err(
                Failure::usage("`--write-url` is not given once for each server")
                    .hint("a path such as `/api/v1/push` holds for all"),
            );
        }
        let open = |(at, text): (usize, Option<&str>)| self.open_one(at, text, writes, session);
        let mut servers = named
            .into_iter()
            .enumerate()
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        tell_apart(&mut servers);
        Ok(servers)
    }

    fn open_one(
        &self,
        at: usize,
        text: Option<&str>,
        writes: bool,
        session: &Session,
    ) -> Result<Server, Failure> {
        let config = load(session.config_file.as_deref(), &session.environment)?;
        let (name, url) = text.map_or((None, None), split_name);
        let source = SourceArgs {
            server: url.map(str::to_owned),
            context: self.context.clone(),
            access: self.access.clone(),
            ..SourceArgs::default()
        };
        let target = resolve(&source, &config)?;
        let Place::Server(url) = &target.place else {
            return Err(Failure::usage("only servers can be measured")
                .hint("name one with `--server http://host:port`"));
        };
        if writes && target.read_only {
            let name = target.context.unwrap_or_default();
            let text = format!("the context `{name}` is read-only");
            return Err(Failure::new(Exit::Denied, text));
        }
        let make = |url: &str| HttpApi::new(url, &target.access, target.timeout);
        let api = make(url)?.uncached();
        let given = self.write_url.get(at).or(self.write_url.first());
        let (writer, write_path) = match given.map(String::as_str) {
            None => (make(url)?, WRITE_PATH),
            Some(path) if path.starts_with('/') => (make(url)?, path),
            Some(other) => (make(other)?, ""),
        };
        let api_url = api.url("/");
        for url in [&api_url, &writer.url("/")] {
            self.check_local(url)?;
        }
        let process = match self.pid.get(at) {
            Some(0) => None,
            Some(pid) => Some(Process { pid: *pid }),
            None => find_process(&api_url),
        };
        Ok(Server {
            name: name.map_or_else(|| short_name(&api_url), str::to_owned),
            api,
            writer,
            write_path: write_path.to_owned(),
            process,
        })
    }

    fn check_local(&self, url: &Url) -> Result<(), Failure> {
        if self.send_load_to_remote || loopback(url).is_some() {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        let text =
            format!("`{host}` is not this machine, and a benchmark sends all the load it can");
        Err(Failure::usage(text).hint("`--send-load-to-remote` does it all the same"))
    }
}

/// Splits `NAME=URL`; a URL may hold `=` itself.
fn split_name(text: &str) -> (Option<&str>, Option<&str>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && name.chars().all(plain) => (Some(name), Some(url)),
        _ => (None, Some(text)),
    }
}

/// Gives servers of the same name a number.
fn tell_apart(servers: &mut [Server]) {
    let names: Vec<String> = servers.iter().map(|server| server.name.clone()).collect();
    for (at, server) in servers.iter_mut().enumerate() {
        let before = names[..at]
            .iter()
            .filter(|name| **name == server.name)
            .count();
        if before > 0 {
            server.name = format!("{}-{}", server.name, before + 1);
        }
    }
}

/// Returns the address when the host is surely this machine. Names other than `localhost` may lead
/// anywhere.
fn loopback(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?.trim_matches(['[', ']']);
    if host.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    host.parse().ok().filter(IpAddr::is_loopback)
}

fn find_process(url: &Url) -> Option<Process> {
    Process::listening_on(loopback(url)?, url.port_or_known_default()?)
}

fn short_name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_and_localhost_are_this_machine() {
        let is_local = |url: &str| loopback(&Url::parse(url).unwrap()).is_some();
        for url in [
            "http://127.0.0.1:1",
            "http://127.3.2.1",
            "http://[::1]:9",
            "http://LOCALHOST",
        ] {
            assert!(is_local(url), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://localhost.example",
            "http://prom",
            "http://[::2]",
            "http://0.0.0.0:9090",
        ] {
            assert!(!is_local(url), "{url}");
        }
    }

    #[test]
    fn a_name_before_the_url_is_split_off() {
        assert_eq!(split_name("a=http://h"), (Some("a"), Some("http://h")));
        assert_eq!(split_name("http://h/?a=b"), (None, Some("http://h/?a=b")));
        assert_eq!(split_name("h:1"), (None, Some("h:1")));
    }
}
