use std::path::Path;

use super::*;

/// Records, their number, and the code.
type Reply = (Vec<u8>, u8, u8);

/// A server that answers every question over UDP with what `answer` makes of it: the records as
/// they stand behind the question, how many, and the code.
async fn serve(answer: fn(&[u8]) -> Reply) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = vec![0; 1024];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
            let question = &buffer[..length - 11];
            let (records, count, code) = answer(&question[12..]);
            let mut out = question.to_vec();
            out[2] = 0x81;
            out[3] = 0x80 | code;
            out[7] = count;
            out[11] = 0;
            out.extend(records);
            socket.send_to(&out, peer).await.unwrap();
        }
    });
    address
}

fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut out = vec![192, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, data.len() as u8];
    out.extend_from_slice(data);
    out
}

async fn found(record: &str, names: &str, server: SocketAddr) -> Result<Vec<String>, String> {
    let text = format!(
        "scrape_configs: [{{job_name: j, dns_sd_configs: [{{names: {names}, type: {record}, port: 9}}]}}]"
    );
    let config = crate::config::load(Path::new("x.yml"), &text).unwrap();
    let crate::config::Discovery::Dns(config) = &config.scrape_configs[0].discoveries[0] else {
        panic!("{config:?}");
    };
    let resolv = ResolvConf::parse(&format!("nameserver {server}\nsearch svc.example\n"));
    let mut lines = Vec::new();
    for name in &config.names {
        for group in groups(
            name,
            config.port,
            lookup(name, config.record, &resolv).await?,
        ) {
            let labels: Vec<String> = group
                .labels
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            lines.push(format!("{} {}", group.targets[0], labels.join(" ")));
        }
    }
    Ok(lines)
}

#[tokio::test]
async fn records_of_all_types_become_targets() {
    let server = serve(|question| {
        let kind = question[question.len() - 3];
        let host = b"\x04host\xc0\x0c";
        let records = match kind {
            33 => [&[0, 1, 0, 2, 0x1f, 0x90][..], host].concat(),
            15 => [&[0, 10][..], host].concat(),
            2 => host.to_vec(),
            28 => [&[0xfe, 0x80][..], &[0; 13], &[1]].concat(),
            _ => vec![10, 0, 0, 1],
        };
        // An alias comes first.
        let both = [record(5, b"\x01c\xc0\x0c"), record(kind, &records)].concat();
        (both, 2, 0)
    })
    .await;
    for (kind, expected) in [
        (
            "SRV",
            "host.a.example:8080 __meta_dns_name=a.example \
             __meta_dns_srv_record_target=host.a.example. __meta_dns_srv_record_port=8080",
        ),
        ("A", "10.0.0.1:9 __meta_dns_name=a.example"),
        ("aaaa", "[fe80::1]:9 __meta_dns_name=a.example"),
        (
            "MX",
            "host.a.example:9 __meta_dns_name=a.example __meta_dns_mx_record_target=host.a.example.",
        ),
        (
            "NS",
            "host.a.example:9 __meta_dns_name=a.example __meta_dns_ns_record_target=host.a.example.",
        ),
    ] {
        assert_eq!(
            found(kind, "[a.example]", server).await.unwrap(),
            [expected]
        );
    }
}

#[tokio::test]
async fn names_are_searched_and_unknown_ones_stand_for_nothing() {
    let server = serve(|question| {
        if question.starts_with(b"\x01a\x03svc\x07example") {
            (record(1, &[10, 0, 0, 2]), 1, 0)
        } else {
            (Vec::new(), 0, 3)
        }
    })
    .await;
    let lines = found("A", "[a, b]", server).await.unwrap();
    assert_eq!(lines, ["10.0.0.2:9 __meta_dns_name=a"]);
}

#[tokio::test]
async fn a_server_that_fails_is_no_answer() {
    let server = serve(|_question| (Vec::new(), 0, 2)).await;
    let error = found("A", "[a]", server).await.unwrap_err();
    assert!(error.contains("code 2"), "{error}");
}
