//! A JSON writer without intermediate values.

use obsq_model::Labels;

use super::number::{push_float, push_seconds, push_unsigned};

/// What takes a large answer part by part; says whether it wants more.
pub(crate) type Sink = Box<dyn FnMut(Vec<u8>) -> bool + Send>;

/// Parts that are handed to a [`Sink`] have about this many bytes.
const PART_BYTES: usize = 128 << 10;

/// Appends JSON to a byte buffer. Commas are its own business: a value or key that follows another
/// one in the same object or array gets one.
#[derive(Default)]
pub struct JsonWriter {
    out: Vec<u8>,
    /// The next value or key needs a comma before it.
    comma: bool,
    sink: Option<Sink>,
}

impl std::fmt::Debug for JsonWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonWriter")
            .field("bytes", &self.out.len())
            .field("streams", &self.sink.is_some())
            .finish_non_exhaustive()
    }
}

impl JsonWriter {
    /// Returns a writer that hands over what it has written whenever that is a part's worth.
    pub(crate) fn streaming(sink: Sink) -> Self {
        Self {
            sink: Some(sink),
            ..Self::default()
        }
    }

    /// Returns what was written and not handed over.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes `{`, what `fill` writes, and `}`.
    pub fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nested(b'{', b'}', fill);
    }

    /// Writes `[`, what `fill` writes, and `]`.
    pub fn array(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nested(b'[', b']', fill);
    }

    /// Writes a key of the object at hand; its value must follow. Returns the writer for chaining.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.string(name);
        self.out.push(b':');
        self.comma = false;
        self
    }

    /// Writes a string, escaped.
    pub fn string(&mut self, text: &str) {
        self.separate();
        self.out.push(b'"');
        push_escaped(&mut self.out, text);
        self.out.push(b'"');
    }

    /// Writes an array of strings.
    pub fn strings<T: AsRef<str>>(&mut self, texts: &[T]) {
        self.array(|json| {
            for text in texts {
                json.string(text.as_ref());
            }
        });
    }

    /// Writes a float as the Prometheus API does: a string.
    pub fn float(&mut self, value: f64) {
        self.separate();
        self.out.push(b'"');
        push_float(&mut self.out, value);
        self.out.push(b'"');
    }

    /// Writes a finite number as a JSON number; anything else becomes 0.
    pub fn number(&mut self, value: f64) {
        self.separate();
        push_float(&mut self.out, if value.is_finite() { value } else { 0.0 });
    }

    /// Writes milliseconds as a number of seconds.
    pub fn seconds(&mut self, ts_ms: i64) {
        self.separate();
        push_seconds(&mut self.out, ts_ms);
    }

    /// Writes an unsigned integer.
    pub fn unsigned(&mut self, value: u64) {
        self.separate();
        push_unsigned(&mut self.out, value);
    }

    /// Writes a signed integer.
    pub fn signed(&mut self, value: i64) {
        self.separate();
        if value < 0 {
            self.out.push(b'-');
        }
        push_unsigned(&mut self.out, value.unsigned_abs());
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// Writes a label set as an object.
    pub fn labels(&mut self, labels: &Labels) {
        self.object(|json| {
            for label in labels {
                json.key(label.name).string(label.value);
            }
        });
    }

    /// Writes `json`, which must be one valid JSON value.
    pub fn raw(&mut self, json: &str) {
        self.separate();
        self.out.extend_from_slice(json.as_bytes());
    }

    fn nested(&mut self, open: u8, close: u8, fill: impl FnOnce(&mut Self)) {
        self.separate();
        self.out.push(open);
        self.comma = false;
        fill(self);
        self.out.push(close);
        self.comma = true;
    }

    fn separate(&mut self) {
        if self.out.len() >= PART_BYTES {
            self.hand_over();
        }
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }
}

impl JsonWriter {
    #[cold]
    fn hand_over(&mut self) {
        let Some(sink) = &mut self.sink else {
            return;
        };
        let part = std::mem::replace(&mut self.out, Vec::with_capacity(PART_BYTES + 1024));
        if !sink(part) {
            // Nobody listens any more: what is still written goes nowhere.
            self.sink = Some(Box::new(|_part| true));
        }
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&text.as_bytes()[plain_from..at]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                plain_from = at + 1;
                continue;
            }
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[plain_from..at]);
        out.extend_from_slice(escape);
        plain_from = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[plain_from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(fill: impl FnOnce(&mut JsonWriter)) -> String {
        let mut json = JsonWriter::default();
        fill(&mut json);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    #[test]
    fn commas_stand_between_values_and_nowhere_else() {
        let text = written(|json| {
            json.object(|json| {
                json.key("a").array(|_| ());
                json.key("b").array(|json| {
                    json.signed(-1);
                    json.object(|_| ());
                    json.seconds(1_500);
                    json.float(0.5);
                });
                json.key("c").bool(true);
            });
        });
        assert_eq!(text, r#"{"a":[],"b":[-1,{},1.500,"0.5"],"c":true}"#);
    }

    #[test]
    fn labels_become_an_object_in_their_order() {
        let labels = Labels::from_pairs(&[("b", "\"x\"\n"), ("a.b", "\u{1}ü")]);
        assert_eq!(
            written(|json| json.labels(&labels)),
            r#"{"a.b":"\u0001ü","b":"\"x\"\n"}"#
        );
    }

    #[test]
    fn a_large_answer_is_handed_over_in_parts() {
        let parts = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
        let taken = std::sync::Arc::clone(&parts);
        let mut json = JsonWriter::streaming(Box::new(move |part| {
            taken.lock().push(part);
            taken.lock().len() < 2
        }));
        json.array(|json| {
            for number in 0..100_000 {
                json.unsigned(number);
            }
        });
        let last = json.into_bytes();
        let parts = parts.lock();
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.len() < PART_BYTES + 100));
        assert!(parts[0].starts_with(b"[0,1,2") && last.ends_with(b"99999]"));
    }

    proptest! {
        #[test]
        fn every_string_reads_back(text in any::<String>()) {
            let json = written(|json| json.string(&text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
