//! Tenant names as they come in `X-Scope-OrgID`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

/// A validated tenant name: 1 to 150 bytes of `[A-Za-z0-9!-_.*'()]`, neither `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

/// Why a tenant name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TenantError {
    /// The name is longer than 150 bytes; holds its length.
    #[error("tenant ID is too long: max 150 bytes, got {0}")]
    TooLong(usize),
    /// The name is empty, `.` or `..`.
    #[error("tenant ID is '{0}'")]
    Reserved(String),
    /// The name holds a character outside the allowed set.
    #[error("tenant ID '{name}' contains unsupported character '{character}'")]
    Character {
        /// The whole name.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
}

impl Tenant {
    /// The tenant of requests that name none.
    pub const ANONYMOUS: &'static str = "anonymous";

    /// Returns the tenant of requests that name none.
    pub fn anonymous() -> Self {
        Self(Arc::from(Self::ANONYMOUS))
    }

    /// Checks `name` against the rules above.
    pub fn parse(name: &str) -> Result<Self, TenantError> {
        if name.is_empty() || name == "." || name == ".." {
            return Err(TenantError::Reserved(name.to_owned()));
        }
        if name.len() > 150 {
            return Err(TenantError::TooLong(name.len()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "!-_.*'()".contains(c);
        match name.chars().find(|c| !allowed(*c)) {
            Some(character) => Err(TenantError::Character {
                name: name.to_owned(),
                character,
            }),
            None => Ok(Self(Arc::from(name))),
        }
    }

    /// Returns the name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name as a directory name that is safe on every file system.
    ///
    /// ASCII letters, digits, `-`, `_` and inner dots stay, upper case included; everything else
    /// becomes `%XX`. A leading dot is escaped as well, so no tenant is a hidden directory.
    pub fn directory_name(&self) -> String {
        let mut out = String::with_capacity(self.0.len());
        for (index, byte) in self.0.bytes().enumerate() {
            let plain = byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'_')
                || (byte == b'.' && index > 0);
            if plain {
                out.push(char::from(byte));
            } else {
                let _infallible = write!(out, "%{byte:02X}");
            }
        }
        out
    }

    /// Returns the tenant that [`Self::directory_name`] encoded, or `None` for a foreign directory.
    pub fn from_directory_name(directory: &str) -> Option<Self> {
        let mut name = Vec::with_capacity(directory.len());
        let mut bytes = directory.bytes();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                name.push((high * 16 + low) as u8);
            } else {
                name.push(byte);
            }
        }
        let tenant = Self::parse(std::str::from_utf8(&name).ok()?).ok()?;
        (tenant.directory_name() == directory).then_some(tenant)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_names_round_trip_and_never_leave_the_directory() {
        for name in ["anonymous", "a.b", "..a", ".hidden", "x!*'()", "T-1_2"] {
            let tenant = Tenant::parse(name).unwrap();
            let directory = tenant.directory_name();
            assert!(
                !directory.contains('/') && !directory.starts_with('.'),
                "{directory}"
            );
            assert_eq!(Tenant::from_directory_name(&directory), Some(tenant));
        }
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["", ".", "..", "a/b", "a\\b", "a b", "ä", "a\0"] {
            assert!(Tenant::parse(name).is_err(), "{name:?}");
        }
        assert!(Tenant::parse(&"a".repeat(150)).is_ok());
        assert_eq!(
            Tenant::parse(&"a".repeat(151)),
            Err(TenantError::TooLong(151))
        );
    }
}
