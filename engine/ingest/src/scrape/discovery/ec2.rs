//! Machines of Amazon EC2.

mod credentials;
mod sign;
mod xml;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use obsq_model::{Clock as _, SystemClock};
use reqwest::{Method, Url};

use self::credentials::{Credentials, Surroundings};
use self::sign::{Scope, sign};
use self::xml::Element;
use super::body::read;
use super::listener::{Ask, Gone, Listener, host_port, label_part, single};
use crate::client::{HttpClient, root_cause};
use crate::config::{Ec2Discovery, Secret};
use crate::scrape::groups::TargetGroup;

/// How long the API may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Most pages of a list.
const MAX_PAGES: usize = 1_000;
/// How much earlier than they end credentials are taken for expired.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// Lists instances again and again.
pub(super) async fn follow(
    config: Ec2Discovery,
    user_agent: String,
    listener: Listener,
) -> Result<(), Gone> {
    let interval_ms = config.refresh_interval_ms;
    let account = Account {
        config,
        user_agent,
        surroundings: Surroundings::default(),
        session: None,
        zones: None,
    };
    listener.poll(interval_ms, "ec2_sd", account).await
}

/// An account to list the instances of.
struct Account {
    config: Ec2Discovery,
    user_agent: String,
    surroundings: Surroundings,
    session: Option<Session>,
    /// Identifiers of zones by their names, which differ from account to account.
    zones: Option<BTreeMap<String, String>>,
}

/// What requests are sent with.
struct Session {
    client: HttpClient,
    region: String,
    credentials: Credentials,
}

impl Ask for Account {
    async fn ask(&mut self) -> Result<Vec<TargetGroup>, String> {
        let found = self.instances().await;
        if found.is_err() {
            // Keys may have been changed meanwhile.
            self.session = None;
        }
        found
    }
}

impl Account {
    async fn instances(&mut self) -> Result<Vec<TargetGroup>, String> {
        let now = now();
        let expires = self.session.as_ref().and_then(|s| s.credentials.expires);
        if expires.is_some_and(|expires| now + MARGIN >= expires) {
            self.session = None;
        }
        if self.session.is_none() {
            self.session = Some(self.log_in().await?);
        }
        let Some(session) = &self.session else {
            return Err("there is no session".to_owned());
        };
        if self.zones.is_none() {
            match session.zones(&self.config).await {
                Ok(zones) => self.zones = Some(zones),
                Err(reason) => tracing::debug!(reason, "cannot list availability zones"),
            }
        }
        let zones = self.zones.clone().unwrap_or_default();
        session.instances(&self.config, &zones).await
    }

    async fn log_in(&self) -> Result<Session, String> {
        let client = HttpClient::new(&self.config.http, &self.user_agent).await;
        let mut session = Session {
            client: client.map_err(|error| error.to_string())?,
            region: self.surroundings.region(&self.config).await?,
            credentials: self.surroundings.credentials(&self.config).await?,
        };
        if !self.config.role_arn.is_empty() {
            session.credentials = session.assume_role(&self.config).await?;
        }
        Ok(session)
    }
}

fn now() -> Timestamp {
    let now_ms = SystemClock::default().now_ms();
    Timestamp::from_millisecond(now_ms).unwrap_or_default()
}

impl Session {
    async fn call(
        &self,
        service: &str,
        endpoint: &str,
        parameters: &[(String, String)],
    ) -> Result<Element, String> {
        let region = &self.region;
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let own = format!("https://{service}.{region}.amazonaws.com{suffix}/");
        let text = if endpoint.is_empty() { &own } else { endpoint };
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = Url::parse(&text).map_err(|error| error.to_string())?;
        let body = form(parameters);
        let scope = Scope {
            region,
            service,
            now: now(),
        };
        let mut request = self.client.request_plain(Method::POST, url.clone());
        for (name, value) in sign(&url, &body, &self.credentials, scope) {
            if name != "host" {
                request = request.header(name, value);
            }
        }
        let sent = request.timeout(TIMEOUT).body(body).send().await;
        let answer = read(sent.map_err(|error| root_cause(&error))?).await?;
        let text = String::from_utf8(answer).map_err(|error| error.to_string())?;
        xml::parse(&text).ok_or_else(|| "the answer is no XML".to_owned())
    }

    async fn assume_role(&self, config: &Ec2Discovery) -> Result<Credentials, String> {
        let mut parameters = vec![
            pair("Action", "AssumeRole"),
            pair("Version", "2011-06-15"),
            pair("RoleArn", &config.role_arn),
            pair("RoleSessionName", "obsq"),
        ];
        if !config.external_id.is_empty() {
            parameters.push(pair("ExternalId", &config.external_id));
        }
        // With an endpoint of its own everything is asked there.
        let answer = self.call("sts", &config.endpoint, &parameters).await?;
        let found = answer
            .child("AssumeRoleResult")
            .and_then(|result| result.child("Credentials"))
            .ok_or("the answer holds no credentials")?;
        let text = |name| found.text(name).unwrap_or_default().to_owned();
        Ok(Credentials {
            access_key: text("AccessKeyId"),
            secret_key: Secret::new(text("SecretAccessKey")),
            session_token: Secret::new(text("SessionToken")),
            expires: text("Expiration").parse().ok(),
        })
    }

    async fn zones(&self, config: &Ec2Discovery) -> Result<BTreeMap<String, String>, String> {
        let parameters = [
            pair("Action", "DescribeAvailabilityZones"),
            pair("Version", "2016-11-15"),
        ];
        let answer = self.call("ec2", &config.endpoint, &parameters).await?;
        let zones = answer.items("availabilityZoneInfo").filter_map(|zone| {
            let name = zone.text("zoneName")?.to_owned();
            Some((name, zone.text("zoneId")?.to_owned()))
        });
        Ok(zones.collect())
    }

    async fn instances(
        &self,
        config: &Ec2Discovery,
        zones: &BTreeMap<String, String>,
    ) -> Result<Vec<TargetGroup>, String> {
        let mut parameters = vec![
            pair("Action", "DescribeInstances"),
            pair("Version", "2016-11-15"),
        ];
        for (number, (name, values)) in (1..).zip(&config.filters) {
            parameters.push(pair(&format!("Filter.{number}.Name"), name));
            for (place, value) in (1..).zip(values) {
                parameters.push(pair(&format!("Filter.{number}.Value.{place}"), value));
            }
        }
        let first_page = parameters.len();
        let mut groups = Vec::new();
        for _page in 0..MAX_PAGES {
            let answer = self.call("ec2", &config.endpoint, &parameters).await?;
            for reservation in answer.items("reservationSet") {
                let owner = reservation.text("ownerId");
                for instance in reservation.items("instancesSet") {
                    let labels = self.labels(instance, owner, config.port, zones);
                    let source = format!("{}:{}", self.region, groups.len());
                    groups.extend(labels.map(|labels| single(source, labels)));
                }
            }
            let Some(next) = answer.text("nextToken") else {
                return Ok(groups);
            };
            parameters.truncate(first_page);
            parameters.push(pair("NextToken", next));
        }
        Err(format!(
            "there are more than {MAX_PAGES} pages of instances"
        ))
    }

    /// Returns the labels of an instance, unless it has no address.
    fn labels(
        &self,
        instance: &Element,
        owner: Option<&str>,
        port: u16,
        zones: &BTreeMap<String, String>,
    ) -> Option<Vec<(String, String)>> {
        let network = Network::of(instance);
        let private_ip = instance.text("privateIpAddress");
        let address = private_ip.or(network.default_ipv6.as_deref())?;
        let mut labels = vec![("__address__".to_owned(), host_port(address, port))];
        let mut put = |name: &str, value: &str| {
            labels.push((format!("__meta_ec2_{name}"), value.to_owned()));
        };
        let zone = instance.text("placement/availabilityZone");
        let zone_id = zone.and_then(|zone| zones.get(zone));
        put("region", &self.region);
        put("availability_zone_id", zone_id.map_or("", |id| id));
        let has_public_ip = instance.text("ipAddress").is_some();
        let public_dns = instance.text("dnsName").filter(|_| has_public_ip);
        let has_vpc = instance.text("vpcId").is_some();
        let subnet = instance.text("subnetId").filter(|_| has_vpc);
        for (name, value) in [
            ("instance_id", instance.text("instanceId")),
            ("owner_id", owner),
            ("default_ipv6_address", network.default_ipv6.as_deref()),
            ("private_ip", private_ip),
            ("private_dns_name", instance.text("privateDnsName")),
            ("platform", instance.text("platform")),
            ("public_ip", instance.text("ipAddress")),
            ("public_dns_name", public_dns),
            ("ami", instance.text("imageId")),
            ("availability_zone", zone),
            ("instance_state", instance.text("instanceState/name")),
            ("instance_type", instance.text("instanceType")),
            ("instance_lifecycle", instance.text("instanceLifecycle")),
            ("architecture", instance.text("architecture")),
            ("vpc_id", instance.text("vpcId")),
            ("primary_subnet_id", subnet),
        ] {
            if let Some(value) = value {
                put(name, value);
            }
        }
        for (name, list) in [
            ("primary_ipv6_addresses", &network.primary_ipv6),
            ("ipv6_addresses", &network.ipv6),
            ("subnet_id", &network.subnets),
        ] {
            if !list.is_empty() || (name == "subnet_id" && has_vpc) {
                put(name, &format!(",{},", list.join(",")));
            }
        }
        for tag in instance.items("tagSet") {
            if let Some(key) = tag.text("key") {
                let name = format!("tag_{}", label_part(key));
                put(&name, tag.text("value").unwrap_or_default());
            }
        }
        Some(labels)
    }
}

/// What the network interfaces of an instance have.
#[derive(Default)]
struct Network {
    subnets: Vec<String>,
    ipv6: Vec<String>,
    /// By the number of the interface.
    primary_ipv6: Vec<String>,
    default_ipv6: Option<String>,
}

impl Network {
    fn of(instance: &Element) -> Self {
        let mut network = Self::default();
        if instance.text("vpcId").is_none() {
            return network;
        }
        for interface in instance.items("networkInterfaceSet") {
            let Some(subnet) = interface.text("subnetId") else {
                continue;
            };
            if !network.subnets.iter().any(|known| known == subnet) {
                network.subnets.push(subnet.to_owned());
            }
            let index = interface.text("attachment/deviceIndex");
            let index: usize = index.and_then(|index| index.parse().ok()).unwrap_or(0);
            for address in interface.items("ipv6AddressesSet") {
                let Some(text) = address.text("ipv6Address") else {
                    continue;
                };
                network.ipv6.push(text.to_owned());
                if address.text("isPrimaryIpv6") == Some("true") && index < 1024 {
                    let length = network.primary_ipv6.len().max(index + 1);
                    network.primary_ipv6.resize(length, String::new());
                    text.clone_into(&mut network.primary_ipv6[index]);
                }
            }
        }
        let mut all = network.primary_ipv6.iter().chain(&network.ipv6);
        network.default_ipv6 = all.find(|address| !address.is_empty()).cloned();
        network
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Returns a form as the signature wants it: spaces as `%20`, not `+`.
fn form(parameters: &[(String, String)]) -> String {
    let pairs = parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        use std::fmt::Write as _;
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _infallible = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests;
