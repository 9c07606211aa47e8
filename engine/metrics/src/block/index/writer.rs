//! Writing an index.
//!
//! The file starts with the symbols, which are known only after the last series. So series go to a
//! spool first, with symbols numbered as they come, and the index is written from front to back at
//! the end. In memory are the symbols and 4 bytes per series and label, for the postings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use obsq_encoding::{ByteReader, DecodeError, put_crc32c, put_uvarint};
use obsq_model::Labels;
use obsq_wal::Vfs;
use rustc_hash::FxHashMap;

use super::series::put_chunks;
use super::{HEADER_BYTES, INDEX_FILE, MAGIC, SERIES_ALIGNMENT, Toc};
use crate::Error;
use crate::block::file::FileWriter;
use crate::block::meta::FileMeta;
use crate::block::segments::ChunkRef;

const SPOOL_FILE: &str = "index.series.tmp";
const SPOOL_READ_BYTES: usize = 256 << 10;

/// Takes series in order of their labels and writes an index of them.
#[derive(Debug)]
pub(in crate::block) struct IndexWriter {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    spool: FileWriter,
    /// Numbers of symbols in the order of their first use.
    symbols: FxHashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    record: Vec<u8>,
    series: u64,
}

impl IndexWriter {
    pub(in crate::block) fn create(vfs: &Arc<dyn Vfs>, directory: &Path) -> Result<Self, Error> {
        // Prometheus has the empty text among the symbols, because it names the list of all series.
        let empty: Arc<str> = Arc::from("");
        Ok(Self {
            vfs: Arc::clone(vfs),
            directory: directory.to_owned(),
            spool: FileWriter::create(vfs.as_ref(), directory.join(SPOOL_FILE))?,
            symbols: FxHashMap::from_iter([(Arc::clone(&empty), 0)]),
            texts: vec![empty],
            record: Vec::new(),
            series: 0,
        })
    }

    /// Adds a series. Labels must follow those of the one before, chunks must rise in time and
    /// reference.
    pub(in crate::block) fn add(
        &mut self,
        labels: &Labels,
        chunks: &[ChunkRef],
    ) -> Result<(), Error> {
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        record.extend_from_slice(&[0; 4]);
        put_uvarint(&mut record, labels.len() as u64);
        for label in labels {
            put_uvarint(&mut record, u64::from(self.symbol(label.name)?));
            put_uvarint(&mut record, u64::from(self.symbol(label.value)?));
        }
        put_chunks(&mut record, chunks);
        let length = u32::try_from(record.len() - 4)
            .map_err(|_range| self.too_large("a series entry has at most 4 GiB"))?;
        record[..4].copy_from_slice(&length.to_be_bytes());
        let result = self.spool.write(&record);
        self.record = record;
        self.series += 1;
        result
    }

    fn symbol(&mut self, text: &str) -> Result<u32, Error> {
        if let Some(symbol) = self.symbols.get(text) {
            return Ok(*symbol);
        }
        let symbol = u32::try_from(self.texts.len())
            .map_err(|_range| self.too_large("an index has at most 2^32 symbols"))?;
        let text: Arc<str> = Arc::from(text);
        self.texts.push(Arc::clone(&text));
        self.symbols.insert(text, symbol);
        Ok(symbol)
    }

    /// Writes the index; its content is on the disk when this returns.
    pub(in crate::block) fn finish(self) -> Result<FileMeta, Error> {
        let Self {
            vfs,
            directory,
            mut spool,
            symbols,
            texts,
            series,
            ..
        } = self;
        drop(symbols);
        let mut out = Output {
            file: FileWriter::create(vfs.as_ref(), directory.join(INDEX_FILE))?,
            directory,
            toc: Toc::default(),
            postings: FxHashMap::default(),
            all: Vec::new(),
        };
        let (texts, numbers) = in_order(texts);
        out.put_header_and_symbols(&texts)?;
        out.put_series(&mut spool, series, &numbers)?;
        out.put_postings(&texts)?;
        let spool_path = out.directory.join(SPOOL_FILE);
        drop(spool);
        vfs.remove_file(&spool_path)
            .map_err(obsq_wal::Error::io("remove", &spool_path))?;
        out.file.finish(INDEX_FILE)
    }

    fn too_large(&self, what: &'static str) -> Error {
        Error::TooLarge {
            path: self.directory.clone(),
            what,
        }
    }
}

/// Returns the texts sorted, and for each old number the new one.
fn in_order(texts: Vec<Arc<str>>) -> (Vec<Arc<str>>, Vec<u32>) {
    let mut numbered: Vec<(Arc<str>, u32)> = texts.into_iter().zip(0..).collect();
    numbered.sort_unstable();
    let mut numbers = vec![0; numbered.len()];
    for ((_, old), new) in numbered.iter().zip(0..) {
        numbers[*old as usize] = new;
    }
    let texts = numbered.into_iter().map(|(text, _)| text).collect();
    (texts, numbers)
}

/// The index while it is being written.
struct Output {
    file: FileWriter,
    directory: PathBuf,
    toc: Toc,
    /// Series ids by symbols of name and value.
    postings: FxHashMap<(u32, u32), Vec<u32>>,
    all: Vec<u32>,
}

impl Output {
    fn put_header_and_symbols(&mut self, texts: &[Arc<str>]) -> Result<(), Error> {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC.to_be_bytes());
        header[4] = 2;
        self.file.write(&header)?;
        self.toc.symbols = self.file.position();
        let mut body = Vec::new();
        body.extend_from_slice(&self.number(texts.len())?);
        for text in texts {
            put_uvarint(&mut body, text.len() as u64);
            body.extend_from_slice(text.as_bytes());
        }
        self.put_section(body)
    }

    /// Writes `len u32 | body | CRC`.
    fn put_section(&mut self, mut body: Vec<u8>) -> Result<(), Error> {
        let length = self.number(body.len())?;
        self.file.write(&length)?;
        put_crc32c(&mut body, 0);
        self.file.write(&body)
    }

    fn number(&self, number: usize) -> Result<[u8; 4], Error> {
        match u32::try_from(number) {
            Ok(number) => Ok(number.to_be_bytes()),
            Err(_range) => Err(Error::TooLarge {
                path: self.directory.clone(),
                what: "a section of the index has at most 4 GiB",
            }),
        }
    }

    fn put_series(
        &mut self,
        spool: &mut FileWriter,
        series: u64,
        numbers: &[u32],
    ) -> Result<(), Error> {
        self.toc.series = self.file.position();
        let spool_path = self.directory.join(SPOOL_FILE);
        let mut records = SpoolReader::new(spool, &spool_path)?;
        let mut entry = Vec::new();
        let mut frame = Vec::new();
        for _ in 0..series {
            let record = records.next()?;
            self.file.align(SERIES_ALIGNMENT)?;
            let id = self.file.position() / SERIES_ALIGNMENT;
            let id = u32::try_from(id).map_err(|_range| Error::TooLarge {
                path: self.directory.clone(),
                what: "an index has at most 64 GiB",
            })?;
            entry.clear();
            self.renumber(record, numbers, id, &mut entry)
                .map_err(Error::corrupt(&spool_path, 0))?;
            frame.clear();
            put_uvarint(&mut frame, entry.len() as u64);
            put_crc32c(&mut entry, 0);
            frame.extend_from_slice(&entry);
            self.file.write(&frame)?;
            self.all.push(id);
        }
        Ok(())
    }

    /// Copies a record with the final numbers of its symbols and notes its postings.
    fn renumber(
        &mut self,
        record: &[u8],
        numbers: &[u32],
        id: u32,
        entry: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        const UNKNOWN: DecodeError = DecodeError::Inconsistent("a symbol that was never numbered");
        let mut reader = ByteReader::new(record);
        let labels = reader.uvarint()?;
        put_uvarint(entry, labels);
        for _ in 0..labels {
            let mut symbol = || {
                let old = reader.uvarint32()?;
                numbers.get(old as usize).copied().ok_or(UNKNOWN)
            };
            let pair = (symbol()?, symbol()?);
            put_uvarint(entry, u64::from(pair.0));
            put_uvarint(entry, u64::from(pair.1));
            self.postings.entry(pair).or_default().push(id);
        }
        entry.extend_from_slice(reader.rest());
        Ok(())
    }

    fn put_postings(&mut self, texts: &[Arc<str>]) -> Result<(), Error> {
        self.toc.label_indices = self.file.position();
        let mut lists: Vec<_> = std::mem::take(&mut self.postings).into_iter().collect();
        lists.sort_unstable_by_key(|(pair, _)| *pair);
        self.file.align(4)?;
        self.toc.postings = self.file.position();
        let mut table = Vec::new();
        table.extend_from_slice(&self.number(lists.len() + 1)?);
        let all = std::mem::take(&mut self.all);
        self.put_list("", "", &all, &mut table)?;
        for ((name, value), ids) in lists {
            let (name, value) = (&texts[name as usize], &texts[value as usize]);
            self.put_list(name, value, &ids, &mut table)?;
        }
        self.toc.label_table = self.file.position();
        self.toc.table = self.file.position();
        self.put_section(table)?;
        let mut toc = Vec::new();
        self.toc.put(&mut toc);
        self.file.write(&toc)
    }

    fn put_list(
        &mut self,
        name: &str,
        value: &str,
        ids: &[u32],
        table: &mut Vec<u8>,
    ) -> Result<(), Error> {
        self.file.align(4)?;
        table.push(2);
        for text in [name, value] {
            put_uvarint(table, text.len() as u64);
            table.extend_from_slice(text.as_bytes());
        }
        put_uvarint(table, self.file.position());
        let mut body = Vec::with_capacity(8 + ids.len() * 4);
        body.extend_from_slice(&self.number(ids.len())?);
        for id in ids {
            body.extend_from_slice(&id.to_be_bytes());
        }
        self.put_section(body)
    }
}

/// Reads the spool's records one after the other.
struct SpoolReader<'a> {
    file: &'a dyn obsq_wal::VfsFile,
    path: &'a Path,
    size: u64,
    /// Where `buffer` begins in the file.
    start: u64,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were handed out.
    used: usize,
}

impl<'a> SpoolReader<'a> {
    fn new(spool: &'a mut FileWriter, path: &'a Path) -> Result<Self, Error> {
        let size = spool.position();
        Ok(Self {
            file: spool.file()?,
            path,
            size,
            start: 0,
            buffer: Vec::new(),
            used: 0,
        })
    }

    fn next(&mut self) -> Result<&[u8], Error> {
        self.need(4)?;
        let head = ByteReader::new(&self.buffer[self.used..]).u32();
        let length = head.map_err(Error::corrupt(self.path, self.start))? as usize;
        self.need(4 + length)?;
        let from = self.used + 4;
        self.used = from + length;
        Ok(&self.buffer[from..self.used])
    }

    /// Makes `count` unused bytes available.
    fn need(&mut self, count: usize) -> Result<(), Error> {
        if self.buffer.len() - self.used >= count {
            return Ok(());
        }
        self.start += self.used as u64;
        self.used = 0;
        let left = self.size - self.start;
        let length = count.max(SPOOL_READ_BYTES);
        let length = usize::try_from(left).map_or(length, |left| left.min(length));
        if length < count {
            return Err(Error::corrupt(self.path, self.start)(
                DecodeError::UnexpectedEnd,
            ));
        }
        self.buffer.resize(length, 0);
        self.file
            .read_exact_at(&mut self.buffer, self.start)
            .map_err(obsq_wal::Error::io("read", self.path))?;
        Ok(())
    }
}
