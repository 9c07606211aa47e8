//! The web configuration and the files that it names, as bytes.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use obsq_ingest::config::{ConfigError, Located, SecretSource, TokenSource, WebConfig, load_web};
use ring::digest;

/// Each file may have this many bytes.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// What was in the files at one moment.
pub(super) struct Material {
    config: Result<WebConfig, Vec<ConfigError>>,
    files: Files,
    digest: [u8; 32],
}

/// The files that a web configuration names.
#[derive(Default)]
pub(super) struct Files(BTreeMap<PathBuf, io::Result<Vec<u8>>>);

impl Files {
    fn add(&mut self, path: &Path) {
        if !self.0.contains_key(path) {
            self.0.insert(path.to_owned(), read(path));
        }
    }

    /// Returns what a file holds.
    pub(super) fn file(&self, path: &Located<PathBuf>) -> Result<&[u8], ConfigError> {
        let name = path.value.display();
        match self.0.get(&path.value) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(path.problem(format!("cannot read `{name}`: {error}"))),
            None => Err(path.problem(format!("cannot read `{name}`"))),
        }
    }

    /// Returns a text that stands in the configuration or in a file.
    pub(super) fn text<'a>(
        &'a self,
        source: &'a Located<SecretSource>,
    ) -> Result<&'a [u8], ConfigError> {
        match &source.value {
            SecretSource::Inline(text) => Ok(text.expose().as_bytes()),
            SecretSource::File(path) => match self.0.get(path) {
                Some(Ok(bytes)) => Ok(bytes),
                Some(Err(error)) => {
                    let message = format!("cannot read `{}`: {error}", path.display());
                    Err(source.problem(message))
                }
                None => Err(source.problem(format!("cannot read `{}`", path.display()))),
            },
        }
    }
}

impl Material {
    /// Reads the configuration and all files that it names.
    pub(super) fn read(path: &Path) -> Self {
        let mut files = Files::default();
        let text = read(path).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|error| io::Error::other(error.utf8_error()))
        });
        let config = match &text {
            Ok(text) => load_web(path, text),
            Err(error) => Err(vec![ConfigError {
                line: 1,
                column: 1,
                message: format!("cannot read the file: {error}"),
            }]),
        };
        if let Ok(config) = &config {
            named(config).for_each(|path| files.add(path));
        }
        let digest = digest_of(&text, &files);
        Self {
            config,
            files,
            digest,
        }
    }

    /// Returns a number that differs when anything in the files does.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub(super) fn into_parts(self) -> Result<(WebConfig, Files), Vec<ConfigError>> {
        self.config.map(|config| (config, self.files))
    }
}

fn named(config: &WebConfig) -> impl Iterator<Item = &Path> {
    let tls = config.tls.iter();
    let sources = tls.flat_map(|tls| {
        let always = [&tls.cert, &tls.key].into_iter();
        always.chain(tls.client_ca.as_ref())
    });
    let sources = sources.filter_map(|source| match &source.value {
        SecretSource::File(path) => Some(path.as_path()),
        SecretSource::Inline(_) => None,
    });
    let tokens = config
        .tokens
        .iter()
        .filter_map(|token| match &token.source {
            TokenSource::File(path) => Some(path.value.as_path()),
            TokenSource::Sha256(_) => None,
        });
    sources.chain(tokens)
}

fn digest_of(text: &io::Result<String>, files: &Files) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut add = |part: Result<&[u8], String>| {
        let (kind, bytes) = match &part {
            Ok(bytes) => (0, *bytes),
            Err(error) => (1, error.as_bytes()),
        };
        context.update(&[kind]);
        context.update(&bytes.len().to_le_bytes());
        context.update(bytes);
    };
    add(text
        .as_ref()
        .map(String::as_bytes)
        .map_err(io::Error::to_string));
    for (path, content) in &files.0 {
        add(Ok(path.as_os_str().as_encoded_bytes()));
        add(content.as_deref().map_err(io::Error::to_string));
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
