//! DNS messages (RFC 1035, 2782, 3596).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::DnsRecord;

const HEADER_BYTES: usize = 12;
const CLASS_IN: u16 = 1;
const TYPE_OPT: u16 = 41;
/// Largest answer over UDP that is asked for.
const UDP_BYTES: u16 = 4096;
/// Most jumps within one name; a message has no more names.
const MAX_JUMPS: usize = 64;
/// Most bytes of a name (RFC 1035 has 255 with its lengths); jumps could make every name of an
/// answer as long as the answer.
const MAX_NAME_BYTES: usize = 255;

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Records(Vec<Data>),
    NoSuchName,
}

/// What a record holds; names end in a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Srv(u16, String),
    Mx(String),
    Ns(String),
    Address(IpAddr),
}

fn type_number(record: DnsRecord) -> u16 {
    match record {
        DnsRecord::A => 1,
        DnsRecord::Ns => 2,
        DnsRecord::Mx => 15,
        DnsRecord::Aaaa => 28,
        DnsRecord::Srv => 33,
    }
}

/// Returns the question for records of a name.
pub(super) fn query(id: u16, name: &str, record: DnsRecord) -> Result<Vec<u8>, String> {
    let mut out = id.to_be_bytes().to_vec();
    // Recursion is desired; one question and one additional record.
    out.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok();
        let length = length.filter(|length| (1..64).contains(length));
        out.push(length.ok_or_else(|| format!("{name:?} is not a name of the DNS"))?);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&type_number(record).to_be_bytes());
    out.extend_from_slice(&CLASS_IN.to_be_bytes());
    out.push(0);
    out.extend_from_slice(&TYPE_OPT.to_be_bytes());
    out.extend_from_slice(&UDP_BYTES.to_be_bytes());
    out.extend_from_slice(&[0; 6]);
    Ok(out)
}

/// Says whether an answer was cut short.
pub(super) fn is_truncated(bytes: &[u8]) -> bool {
    bytes.get(2).is_some_and(|flags| flags & 2 != 0)
}

/// Reads an answer; records of other types, such as aliases on the way, are passed over.
pub(super) fn parse(bytes: &[u8], id: u16, record: DnsRecord) -> Result<Answer, String> {
    let broken = || "the answer is damaged".to_owned();
    let mut reader = Reader { bytes, at: 0 };
    if reader.u16().ok_or_else(broken)? != id {
        return Err("the answer is for another question".to_owned());
    }
    let flags = reader.u16().ok_or_else(broken)?;
    match flags & 15 {
        0 => {}
        3 => return Ok(Answer::NoSuchName),
        code => return Err(format!("the server answers with code {code}")),
    }
    let records = reader.records(type_number(record)).ok_or_else(broken)?;
    Ok(Answer::Records(records))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn records(&mut self, wanted: u16) -> Option<Vec<Data>> {
        let (questions, answers) = (self.u16()?, self.u16()?);
        self.at = HEADER_BYTES;
        for _question in 0..questions {
            self.name()?;
            self.at += 4;
        }
        let mut records = Vec::new();
        for _answer in 0..answers {
            self.name()?;
            let (kind, class) = (self.u16()?, self.u16()?);
            self.at += 4;
            let length = self.u16()?;
            let end = self.at + usize::from(length);
            if end > self.bytes.len() {
                return None;
            }
            if kind == wanted && class == CLASS_IN {
                records.push(self.data(kind)?);
            }
            self.at = end;
        }
        Some(records)
    }

    fn data(&mut self, kind: u16) -> Option<Data> {
        let rest = self.bytes.get(self.at..)?;
        match kind {
            1 => Some(Data::Address(IpAddr::V4(Ipv4Addr::from(
                *rest.first_chunk::<4>()?,
            )))),
            28 => Some(Data::Address(IpAddr::V6(Ipv6Addr::from(
                *rest.first_chunk::<16>()?,
            )))),
            2 => Some(Data::Ns(self.name()?)),
            15 => {
                self.at += 2;
                Some(Data::Mx(self.name()?))
            }
            33 => {
                self.at += 4;
                Some(Data::Srv(self.u16()?, self.name()?))
            }
            _ => None,
        }
    }

    /// Reads a name, which may go on elsewhere in the message.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let mut after = None;
        for _jump in 0..MAX_JUMPS * 4 {
            let length = self.u8()?;
            match length {
                0 => {
                    self.at = after.unwrap_or(self.at);
                    if name.is_empty() {
                        name.push('.');
                    }
                    return Some(name);
                }
                1..64 => {
                    let end = self.at + usize::from(length);
                    let label = self.bytes.get(self.at..end)?;
                    name.push_str(std::str::from_utf8(label).ok()?);
                    name.push('.');
                    if name.len() > MAX_NAME_BYTES {
                        return None;
                    }
                    self.at = end;
                }
                192.. => {
                    let low = self.u8()?;
                    after = after.or(Some(self.at));
                    self.at = usize::from(length & 63) << 8 | usize::from(low);
                }
                _ => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_the_dns_cannot_hold_are_refused() {
        for name in ["", "a..b", &"x".repeat(64)] {
            assert!(query(1, name, DnsRecord::A).is_err(), "{name}");
        }
        let query = query(0x1234, "a.example", DnsRecord::Srv).unwrap();
        assert_eq!(&query[..2], [0x12, 0x34]);
        assert_eq!(&query[12..23], b"\x01a\x07example\0");
    }

    #[test]
    fn a_name_that_refers_to_itself_ends() {
        let mut bytes = vec![0, 1, 0x81, 0x80, 0, 0, 0, 1, 0, 0, 0, 0];
        bytes.extend_from_slice(&[192, 12, 0, 1]);
        assert!(parse(&bytes, 1, DnsRecord::A).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..100), codes: bool,
        ) {
            if codes && bytes.len() > 8 {
                bytes[..6].copy_from_slice(&[0, 1, 0x81, 0x80, 0, 0]);
            }
            for record in [DnsRecord::Srv, DnsRecord::A, DnsRecord::Mx] {
                let _unused = parse(&bytes, 1, record);
            }
        }
    }
}
