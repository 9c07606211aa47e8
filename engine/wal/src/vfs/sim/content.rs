//! Bytes of a simulated file, in pages that copies share.

use std::sync::{Arc, LazyLock};

const PAGE_BYTES: usize = 4096;

type Page = [u8; PAGE_BYTES];

static ZEROS: LazyLock<Arc<Page>> = LazyLock::new(|| Arc::new([0; PAGE_BYTES]));

/// Bytes of a file. Cloning copies nothing; writing copies the pages it touches if they are shared.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    #[expect(clippy::rc_buffer, reason = "written in place when it is not shared")]
    pages: Arc<Vec<Arc<Page>>>,
    len: u64,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills `buffer` from `offset`; says no when the file ends before that.
    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> bool {
        let end = offset.saturating_add(buffer.len() as u64);
        if end > self.len {
            return false;
        }
        let mut at = offset as usize;
        let mut rest = buffer;
        while !rest.is_empty() {
            let within = at % PAGE_BYTES;
            let count = rest.len().min(PAGE_BYTES - within);
            let (part, behind) = rest.split_at_mut(count);
            part.copy_from_slice(&self.pages[at / PAGE_BYTES][within..within + count]);
            rest = behind;
            at += count;
        }
        true
    }

    /// Writes bytes; a gap before them is filled with zeros.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        self.set_len(self.len.max(offset + bytes.len() as u64));
        let pages = Arc::make_mut(&mut self.pages);
        let mut at = offset as usize;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = at % PAGE_BYTES;
            let count = rest.len().min(PAGE_BYTES - within);
            let (part, behind) = rest.split_at(count);
            let page = Arc::make_mut(&mut pages[at / PAGE_BYTES]);
            page[within..within + count].copy_from_slice(part);
            rest = behind;
            at += count;
        }
    }

    /// Cuts off what is behind `len`, or adds zeros up to there.
    pub(super) fn set_len(&mut self, len: u64) {
        let pages = Arc::make_mut(&mut self.pages);
        pages.resize_with((len as usize).div_ceil(PAGE_BYTES), || Arc::clone(&ZEROS));
        let within = len as usize % PAGE_BYTES;
        if len < self.len
            && within > 0
            && let Some(last) = pages.last_mut()
        {
            Arc::make_mut(last)[within..].fill(0);
        }
        self.len = len;
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len as usize];
        self.read(&mut bytes, 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_writes_agree_with_a_vector(
            steps in proptest::collection::vec((0_usize..20_000, 0_usize..9000, any::<u8>()), 1..20),
        ) {
            let (mut content, mut model) = (Content::default(), Vec::new());
            for (offset, len, byte) in steps {
                let before = (content.clone(), model.clone());
                if byte % 5 == 0 {
                    content.set_len(offset as u64);
                    model.resize(offset, 0);
                } else {
                    content.write(&vec![byte; len], offset as u64);
                    model.resize(model.len().max(offset + len), 0);
                    model[offset..offset + len].fill(byte);
                }
                prop_assert_eq!(content.to_vec(), model.clone());
                prop_assert_eq!(before.0.to_vec(), before.1, "the copy has not changed");
            }
        }
    }
}
