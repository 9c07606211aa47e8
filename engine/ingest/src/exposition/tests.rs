use super::*;

#[test]
fn what_stands_before_an_error_is_read_in_every_format() {
    let cases: [(Format, &[u8], usize); 4] = [
        (
            Format::Text,
            "a{le=\"1.0\",x=\"\u{e9}\"} +Inf\na{le=\"2\",} NaN\n  b   3   \n\n# comment\n#HELP\nc{} 0x10\n"
                .as_bytes(),
            3,
        ),
        (Format::OpenMetrics, b"# TYPE x counter\nx_total 1\n", 1),
        (
            Format::OpenMetrics,
            b"# TYPE x counter\nx_total 1\nx_created 1\nx",
            1,
        ),
        (Format::Protobuf, b"\x09\x0a\x01a\x18\x01\x22\x02\x12\x00\x05", 1),
    ];
    for (format, body, count) in cases {
        let (scraped, result) = parse_until_error(body, ParseOptions::new(format));
        assert!(result.is_err(), "{format:?}: {scraped:?}");
        assert_eq!(scraped.samples.len(), count, "{format:?}: {result:?}");
        assert_eq!(parse(body, ParseOptions::new(format)).err(), result.err());
    }
}
