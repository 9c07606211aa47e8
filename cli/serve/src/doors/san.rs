//! The names that a certificate has.
//!
//! Reads as much of DER as it takes to find the extension `subjectAltName` (RFC 5280, section
//! 4.2.1.6). The certificate was parsed and checked as a whole before, by the TLS library, which
//! does not hand out all kinds of names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
/// The tag of the extensions within a certificate.
const EXTENSIONS: u8 = 0xa3;
/// 2.5.29.17
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// Returns DNS names, e-mail addresses, URIs and IP addresses of a certificate in DER.
pub(super) fn subject_alt_names(certificate: &[u8]) -> Vec<String> {
    find(certificate).unwrap_or_default()
}

fn find(certificate: &[u8]) -> Option<Vec<String>> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (to_be_signed, _) = expect(certificate, SEQUENCE)?;
    let (extensions, _) = elements(to_be_signed)
        .find(|(tag, _)| *tag == EXTENSIONS)
        .map(|(_, e)| expect(e, SEQUENCE))??;
    let extension = elements(extensions).find_map(|(_, extension)| {
        let (identifier, rest) = expect(extension, OBJECT_IDENTIFIER)?;
        (identifier == SUBJECT_ALT_NAME).then_some(rest)
    })?;
    // A flag may stand in between, which says that the extension must be understood.
    let (_, value) = elements(extension).find(|(tag, _)| *tag == OCTET_STRING)?;
    let (names, _) = expect(value, SEQUENCE)?;
    Some(
        elements(names)
            .filter_map(|(tag, name)| text(tag, name))
            .collect(),
    )
}

/// Returns a name as text: e-mail address, DNS name, URI or IP address.
fn text(tag: u8, name: &[u8]) -> Option<String> {
    match tag {
        0x81 | 0x82 | 0x86 => String::from_utf8(name.to_vec()).ok(),
        0x87 => match name.len() {
            4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(name).ok()?).to_string()),
            16 => Some(IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(name).ok()?)).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = element(bytes)?;
        bytes = rest;
        Some((tag, content))
    })
}

/// Returns the content of the first element, which must have this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let add = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
            (length.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn all_kinds_of_names_are_found() {
        let names = vec![
            SanType::DnsName("host.example".try_into().unwrap()),
            SanType::Rfc822Name("me@host.example".try_into().unwrap()),
            SanType::URI("spiffe://host/x".try_into().unwrap()),
            SanType::IpAddress("10.1.2.3".parse().unwrap()),
            SanType::IpAddress("fe80::1".parse().unwrap()),
        ];
        let expected = [
            "host.example",
            "me@host.example",
            "spiffe://host/x",
            "10.1.2.3",
            "fe80::1",
        ];
        assert_eq!(subject_alt_names(&certificate(names)), expected);
        assert!(subject_alt_names(&certificate(Vec::new())).is_empty());
    }

    proptest! {
        #[test]
        fn damaged_certificates_have_fewer_names_and_never_panic(
            at in 0_usize..400, byte: u8, length in 0_usize..600,
        ) {
            let name = SanType::DnsName("host.example".try_into().unwrap());
            let mut bytes = certificate(vec![name]);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.truncate(length);
            let _names = subject_alt_names(&bytes);
        }
    }
}
