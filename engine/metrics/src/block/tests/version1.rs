//! Indices of version 1, which nothing writes any more, built by hand.

use std::fs;

use obsq_encoding::{put_crc32c, put_uvarint, put_varint};
use tempfile::TempDir;

use super::*;

/// Appends `len u32 | body | CRC` and returns where it begins.
fn put_section(out: &mut Vec<u8>, body: &[u8]) -> u64 {
    let at = out.len() as u64;
    out.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
    let from = out.len();
    out.extend_from_slice(body);
    put_crc32c(out, from);
    at
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Returns an index of series `{job="<value>"}`, each with one chunk.
fn index(series: &[(&str, ChunkRef)]) -> Vec<u8> {
    let mut out = vec![0xba, 0xaa, 0xd7, 0x00, 1];
    let mut texts: Vec<&str> = series.iter().map(|(value, _)| *value).collect();
    texts.push("job");
    texts.sort_unstable();
    let mut symbols = u32::try_from(texts.len()).unwrap().to_be_bytes().to_vec();
    let mut places = BTreeMap::new();
    for text in texts {
        // In the file, behind the header and the section's length.
        places.insert(text, symbols.len() as u64 + 5 + 4);
        put_text(&mut symbols, text);
    }
    let mut toc = vec![put_section(&mut out, &symbols), out.len() as u64];
    let mut ids = Vec::new();
    for (value, chunk) in series {
        let mut body = vec![1];
        put_uvarint(&mut body, places["job"]);
        put_uvarint(&mut body, places[value]);
        body.push(1);
        put_varint(&mut body, chunk.min_ts_ms);
        put_uvarint(&mut body, (chunk.max_ts_ms - chunk.min_ts_ms) as u64);
        put_uvarint(&mut body, chunk.reference);
        ids.push(u32::try_from(out.len()).unwrap());
        put_uvarint(&mut out, body.len() as u64);
        let from = out.len();
        out.extend_from_slice(&body);
        put_crc32c(&mut out, from);
    }
    let mut lists = vec![("", "", ids.clone())];
    for ((value, _), id) in series.iter().zip(&ids) {
        // The table has no order.
        lists.insert(0, ("job", value, vec![*id]));
    }
    toc.extend([0, 0, out.len() as u64]);
    let mut table = u32::try_from(lists.len()).unwrap().to_be_bytes().to_vec();
    for (name, value, ids) in lists {
        let mut body = u32::try_from(ids.len()).unwrap().to_be_bytes().to_vec();
        body.extend(ids.iter().flat_map(|id| id.to_be_bytes()));
        table.push(2);
        put_text(&mut table, name);
        put_text(&mut table, value);
        put_uvarint(&mut table, put_section(&mut out, &body));
    }
    toc.push(put_section(&mut out, &table));
    let from = out.len();
    out.extend(toc.iter().flat_map(|offset| offset.to_be_bytes()));
    put_crc32c(&mut out, from);
    out
}

#[test]
fn an_index_of_version_1_is_read() {
    let directory = TempDir::new().unwrap();
    let job = |value: &str| labels(&[("job", value)]);
    let model = Model::from([
        (job("a"), floats(0..500, 10)),
        (job("b"), floats(100..700, 10)),
    ]);
    let meta = write(directory.path(), &model, spec(1));
    let written = open(directory.path(), &meta);
    let series = written.select(&[], TimeRange::ALL).unwrap();
    let chunks: Vec<_> = series
        .iter()
        .map(|series| (series.labels.value("job"), series.chunks[0]))
        .collect();
    let path = directory.path().join(meta.ulid.to_string()).join("index");
    fs::write(path, index(&chunks)).unwrap();

    let block = open(directory.path(), &meta);
    assert_eq!(read_all(&block, &[], TimeRange::ALL), model);
    let b = [Matcher::equal("job", "b")];
    let found = block.select(&b, TimeRange::ALL).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].labels, job("b"));
    assert_eq!(
        block.label_values("job", &[], TimeRange::ALL).unwrap(),
        ["a", "b"]
    );
    assert_eq!(block.label_names(&[], TimeRange::ALL).unwrap(), ["job"]);
    block.verify().unwrap();
}
