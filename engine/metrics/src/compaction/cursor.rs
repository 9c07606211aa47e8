//! Walking the series of a block in order.

use std::collections::VecDeque;
use std::sync::Arc;

use obsq_model::Labels;

use crate::Error;
use crate::block::{Block, BlockSeries};

/// Series are read in lots of this many.
const LOT: usize = 256;

/// Hands out a block's series one by one, sorted by labels.
#[derive(Debug)]
pub(super) struct SeriesCursor<'a> {
    block: &'a Block,
    ids: Arc<[u32]>,
    /// Ids before this one were read.
    next: usize,
    lot: VecDeque<BlockSeries>,
}

impl<'a> SeriesCursor<'a> {
    pub(super) fn start(block: &'a Block) -> Result<Self, Error> {
        let mut cursor = Self {
            block,
            ids: block.series_ids()?,
            next: 0,
            lot: VecDeque::new(),
        };
        cursor.fill()?;
        Ok(cursor)
    }

    /// Returns the labels of the next series; `None` at the end.
    pub(super) fn labels(&self) -> Option<&Labels> {
        self.lot.front().map(|series| &series.labels)
    }

    /// Returns the next series if it has these labels.
    pub(super) fn take(&mut self, labels: &Labels) -> Result<Option<BlockSeries>, Error> {
        if self.labels() != Some(labels) {
            return Ok(None);
        }
        let series = self.lot.pop_front();
        self.fill()?;
        Ok(series)
    }

    fn fill(&mut self) -> Result<(), Error> {
        while self.lot.is_empty() && self.next < self.ids.len() {
            let end = (self.next + LOT).min(self.ids.len());
            self.lot
                .extend(self.block.series_of(&self.ids[self.next..end])?);
            self.next = end;
        }
        Ok(())
    }
}
