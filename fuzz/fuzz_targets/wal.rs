#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| obsq_fuzz::wal(input));
