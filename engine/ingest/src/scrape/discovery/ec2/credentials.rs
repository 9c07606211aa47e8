//! Who asks, and of which region: the configuration, the environment, the shared credentials file,
//! or the machine itself.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

use super::super::body::read;
use crate::config::{Ec2Discovery, Secret};

/// How long the machine may take to answer about itself.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Keys that requests are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) access_key: String,
    pub(super) secret_key: Secret,
    pub(super) session_token: Secret,
    /// When they are good no longer.
    pub(super) expires: Option<Timestamp>,
}

/// Where this process runs.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) variable: fn(&str) -> Option<String>,
    /// Where the machine answers about itself.
    pub(super) metadata_url: String,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            variable: |name| std::env::var(name).ok().filter(|value| !value.is_empty()),
            metadata_url: "http://169.254.169.254".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MachineCredentials {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: Option<String>,
}

impl Surroundings {
    /// Returns the region of the configuration, the environment or this machine.
    pub(super) async fn region(&self, config: &Ec2Discovery) -> Result<String, String> {
        if !config.region.is_empty() {
            return Ok(config.region.clone());
        }
        let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        match variables.into_iter().find_map(self.variable) {
            Some(region) => Ok(region),
            None => self.metadata("placement/region").await,
        }
    }

    /// Returns the keys of the configuration, the environment, the shared file or this machine.
    pub(super) async fn credentials(&self, config: &Ec2Discovery) -> Result<Credentials, String> {
        if !config.access_key.is_empty() && !config.secret_key.is_empty() {
            return Ok(Credentials {
                access_key: config.access_key.clone(),
                secret_key: config.secret_key.clone(),
                session_token: Secret::default(),
                expires: None,
            });
        }
        let variable = self.variable;
        if config.profile.is_empty()
            && let (Some(access_key), Some(secret_key)) = (
                variable("AWS_ACCESS_KEY_ID"),
                variable("AWS_SECRET_ACCESS_KEY"),
            )
        {
            return Ok(Credentials {
                access_key,
                secret_key: Secret::new(secret_key),
                session_token: Secret::new(variable("AWS_SESSION_TOKEN").unwrap_or_default()),
                expires: None,
            });
        }
        match self.file_credentials(config).await {
            Some(credentials) => Ok(credentials),
            None if config.profile.is_empty() => self.machine_credentials().await,
            None => Err(format!("there is no profile {:?}", config.profile)),
        }
    }

    async fn file_credentials(&self, config: &Ec2Discovery) -> Option<Credentials> {
        let variable = self.variable;
        let own = || Some(PathBuf::from(variable("HOME")?).join(".aws/credentials"));
        let path = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
        let text = tokio::fs::read_to_string(path.or_else(own)?).await.ok()?;
        let profile = match config.profile.as_str() {
            "" => variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned()),
            profile => profile.to_owned(),
        };
        profile_of(&text, &profile)
    }

    async fn machine_credentials(&self) -> Result<Credentials, String> {
        let roles = self.metadata("iam/security-credentials/").await?;
        let role = roles.lines().next().unwrap_or_default();
        let text = self
            .metadata(&format!("iam/security-credentials/{role}"))
            .await?;
        let found: MachineCredentials =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        Ok(Credentials {
            access_key: found.access_key_id,
            secret_key: Secret::new(found.secret_access_key),
            session_token: Secret::new(found.token),
            expires: found.expiration.and_then(|time| time.parse().ok()),
        })
    }

    /// Asks the machine about itself (version 2 of the service).
    async fn metadata(&self, path: &str) -> Result<String, String> {
        let asked = self.ask_machine(path).await;
        asked.map_err(|error| format!("this machine tells no {path:?}: {error}"))
    }

    async fn ask_machine(&self, path: &str) -> Result<String, String> {
        let client = Client::builder().no_proxy().timeout(TIMEOUT).build();
        let client = client.map_err(|error| error.to_string())?;
        let base = format!("{}/latest", self.metadata_url);
        let lasts = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
        let request = client.put(format!("{base}/api/token"));
        let token = text_of(request.header(lasts.0, lasts.1)).await?;
        let request = client.get(format!("{base}/meta-data/{path}"));
        text_of(request.header("x-aws-ec2-metadata-token", token)).await
    }
}

async fn text_of(request: RequestBuilder) -> Result<String, String> {
    let response = request.send().await.map_err(|error| error.to_string())?;
    let body = read(response).await?;
    String::from_utf8(body).map_err(|error| error.to_string())
}

/// Returns what a credentials file holds for a profile.
fn profile_of(text: &str, profile: &str) -> Option<Credentials> {
    let mut is_wanted = false;
    let [mut access_key, mut secret_key, mut token] = [const { String::new() }; 3];
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[') {
            is_wanted = name.trim_end_matches(']').trim() == profile;
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_wanted) {
            let value = value.trim().to_owned();
            match key.trim() {
                "aws_access_key_id" => access_key = value,
                "aws_secret_access_key" => secret_key = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    (!access_key.is_empty() && !secret_key.is_empty()).then(|| Credentials {
        access_key,
        secret_key: Secret::new(secret_key),
        session_token: Secret::new(token),
        expires: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_in_the_shared_file() {
        let text = "[default]\naws_access_key_id = a\naws_secret_access_key=b\n\n[ other ]\n\
                    aws_access_key_id=c\naws_secret_access_key = d\naws_session_token = e\n[half]\n\
                    aws_access_key_id=x\n";
        let keys = |profile| {
            let found = profile_of(text, profile)?;
            let token = found.session_token.expose().to_owned();
            Some((found.access_key.clone(), token))
        };
        assert_eq!(keys("default"), Some(("a".into(), String::new())));
        assert_eq!(keys("other"), Some(("c".into(), "e".into())));
        assert_eq!((keys("half"), keys("none")), (None, None));
        let debug = format!("{:?}", profile_of(text, "other"));
        assert!(debug.contains('c') && !debug.contains("\"d\"") && !debug.contains("\"e\""));
    }
}
