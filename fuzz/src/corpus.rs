//! Runs every target over the inputs that are kept in `corpus/`.

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Runs `target` over each file of `corpus/<name>`, and over each with a byte changed and cut off
    /// in the middle.
    fn replay(name: &str, target: fn(&[u8])) {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        let mut inputs = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let input = fs::read(entry.unwrap().path()).unwrap();
            target(&input);
            target(&input[..input.len() / 2]);
            let mut changed = input.clone();
            if let Some(byte) = changed.get_mut(input.len() * 2 / 3) {
                *byte ^= 0x10;
            }
            target(&changed);
            inputs += 1;
        }
        assert!(inputs > 0, "{} has no inputs", directory.display());
    }

    macro_rules! replays {
        ($($name:ident),+ $(,)?) => {
            $(
                #[test]
                fn $name() {
                    replay(stringify!($name), crate::$name);
                }
            )+
        };
    }

    replays!(
        block_chunks,
        block_index,
        checkpoint,
        chunks,
        companions,
        exposition,
        otlp,
        promql,
        regex,
        remote_write,
        wal,
    );
}
