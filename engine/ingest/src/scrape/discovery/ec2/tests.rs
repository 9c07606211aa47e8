use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::testing::{first_config, lines};
use super::*;
use crate::config::Discovery;

const INSTANCES: &str = "<DescribeInstancesResponse><reservationSet><item><ownerId>42</ownerId>
<instancesSet><item><instanceId>i-1</instanceId><imageId>ami-1</imageId>
<instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName>ip-10-0-0-1.internal</privateDnsName><dnsName>ec2.example</dnsName>
<instanceType>t3.small</instanceType><placement><availabilityZone>eu-west-2a</availabilityZone></placement>
<subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><privateIpAddress>10.0.0.1</privateIpAddress>
<ipAddress>1.2.3.4</ipAddress><architecture>x86_64</architecture>
<tagSet><item><key>my-name</key><value>a &amp; b</value></item></tagSet>
<networkInterfaceSet><item><subnetId>subnet-1</subnetId><attachment><deviceIndex>1</deviceIndex></attachment>
<ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item>
</ipv6AddressesSet></item></networkInterfaceSet></item>
<item><instanceId>i-2</instanceId></item></instancesSet></item></reservationSet>";

/// Serves both the API and the machine's answers about itself; returns the requests seen.
async fn serve() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
            loop {
                let count = stream.read(&mut chunk).await.unwrap();
                request.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break;
                }
            }
            let request = String::from_utf8(request).unwrap();
            let answer = answer(&request);
            noted.lock().unwrap().push(request);
            let length = answer.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, seen)
}

fn answer(request: &str) -> String {
    let is = |part: &str| request.contains(part);
    if is("PUT /latest/api/token") {
        "machine-token".to_owned()
    } else if is("GET /latest/meta-data/placement/region") {
        "eu-west-2".to_owned()
    } else if is("security-credentials/role") {
        r#"{"AccessKeyId": "machine", "SecretAccessKey": "hunter2", "Token": "session",
            "Expiration": "2999-01-01T00:00:00Z"}"#
            .to_owned()
    } else if is("security-credentials/") {
        "role".to_owned()
    } else if is("Action=AssumeRole") {
        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>assumed</AccessKeyId>\
         <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>"
            .to_owned()
    } else if is("Action=DescribeAvailabilityZones") {
        "<R><availabilityZoneInfo><item><zoneName>eu-west-2a</zoneName><zoneId>euw2-az2</zoneId>\
         </item></availabilityZoneInfo></R>"
            .to_owned()
    } else if is("NextToken=more") {
        INSTANCES.replace("10.0.0.1<", "10.0.0.9<") + "</DescribeInstancesResponse>"
    } else {
        INSTANCES.to_owned() + "<nextToken>more</nextToken></DescribeInstancesResponse>"
    }
}

fn account(server: SocketAddr, keys: &str) -> Account {
    let keys = format!("{{endpoint: 'http://{server}', port: 9100{keys}}}");
    let Discovery::Ec2(config) = first_config("ec2_sd_configs", &keys) else {
        panic!("no ec2");
    };
    // Whatever the machine has configured itself is of no interest here.
    drop(rustls::crypto::ring::default_provider().install_default());
    Account {
        config: *config,
        user_agent: "obsq/test".to_owned(),
        surroundings: Surroundings {
            variable: |_name| None,
            metadata_url: format!("http://{server}"),
        },
        session: None,
        zones: None,
    }
}

#[tokio::test]
async fn instances_of_all_pages_have_their_labels() {
    let (server, seen) = serve().await;
    let keys = ", region: eu-west-2, access_key: key, secret_key: hunter2, \
                filters: [{name: 'tag:x', values: [a b]}]";
    let mut account = account(server, keys);
    let groups = account.ask().await.unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(
        lines(&groups)[0],
        "10.0.0.1:9100 ec2_ami=ami-1 ec2_architecture=x86_64 ec2_availability_zone=eu-west-2a \
         ec2_availability_zone_id=euw2-az2 ec2_default_ipv6_address=2001:db8::1 \
         ec2_instance_id=i-1 ec2_instance_state=running ec2_instance_type=t3.small \
         ec2_ipv6_addresses=,2001:db8::1, ec2_owner_id=42 \
         ec2_primary_ipv6_addresses=,,2001:db8::1, ec2_primary_subnet_id=subnet-1 \
         ec2_private_dns_name=ip-10-0-0-1.internal ec2_private_ip=10.0.0.1 \
         ec2_public_dns_name=ec2.example ec2_public_ip=1.2.3.4 ec2_region=eu-west-2 \
         ec2_subnet_id=,subnet-1, ec2_tag_my_name=a & b ec2_vpc_id=vpc-1"
    );
    let seen = seen.lock().unwrap();
    assert!(
        seen.iter()
            .all(|request| { request.contains("Credential=key/") && !request.contains("hunter2") })
    );
    assert!(seen[1].contains("Filter.1.Name=tag%3Ax&Filter.1.Value.1=a%20b"));
}

#[tokio::test]
async fn the_machine_tells_its_region_and_its_keys_and_a_role_may_be_assumed() {
    let (server, seen) = serve().await;
    account(server, "").ask().await.unwrap();
    let signed = |by: &str| {
        let seen = seen.lock().unwrap();
        let mut calls = seen
            .iter()
            .filter(|r| r.contains("Action=DescribeInstances"));
        calls.any(|request| request.contains(&format!("Credential={by}/")))
    };
    assert!(signed("machine"));
    assert!(
        seen.lock()
            .unwrap()
            .iter()
            .any(|r| r.contains("x-amz-security-token: session"))
    );
    account(server, ", role_arn: 'arn:x', external_id: y")
        .ask()
        .await
        .unwrap();
    assert!(signed("assumed"));
}
