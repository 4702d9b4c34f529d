//! The original records, compressed together and had back byte for byte.
//!
//! A block before compression is the length of each record (4 bytes, little-endian), then the records.

use std::io;

use sqlx::SqliteConnection;
use zstd::zstd_safe::CParameter;

use super::{Store, StoreError};

/// Records compressed together: alike as they are, more of them cost less each.
pub(super) const BLOCK_EVENTS: usize = 1024;

/// zstd level: 1 is within a few per cent of 3 on records that repeat each other, at twice the speed.
const LEVEL: i32 = 1;

/// log2 of the bytes that zstd looks back: a whole block of ordinary records, a tenth smaller than at what the
/// level has, and no slower.
const WINDOW_LOG: u32 = 22;

/// zstd with the dictionary below.
const CODEC_ZSTD_1: i64 = 1;

/// The words that every record has, so that a block of one record is small too. It belongs to
/// codec 1 and never changes; another dictionary is another codec.
const DICTIONARY: &[u8] = include_bytes!("records.dictionary");

/// A block before it has a place in the database.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) event_count: usize,
    pub(super) size_bytes: usize,
    pub(super) data: Vec<u8>,
}

/// Compresses records, [`BLOCK_EVENTS`] to a block.
pub(super) fn compress<'a>(records: &[&'a [u8]]) -> io::Result<Vec<Block>> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, DICTIONARY)?;
    compressor.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    let mut plain = Vec::new();
    records
        .chunks(BLOCK_EVENTS)
        .map(|records: &[&'a [u8]]| {
            plain.clear();
            for record in records {
                let length = u32::try_from(record.len()).map_err(io::Error::other)?;
                plain.extend_from_slice(&length.to_le_bytes());
            }
            for record in records {
                plain.extend_from_slice(record);
            }
            Ok(Block {
                event_count: records.len(),
                size_bytes: plain.len() - 4 * records.len(),
                data: compressor.compress(&plain)?,
            })
        })
        .collect()
}

/// The record at `place` of a block that holds `event_count`.
fn record_of(data: &[u8], event_count: usize, size_bytes: usize, place: usize) -> Option<Vec<u8>> {
    let plain = zstd::bulk::Decompressor::with_dictionary(DICTIONARY)
        .and_then(|mut decompressor| decompressor.decompress(data, size_bytes + 4 * event_count))
        .ok()?;
    let length = |place: usize| {
        let bytes = plain.get(4 * place..4 * place + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let before: usize = (0..place).map(length).sum::<Option<usize>>()?;
    let start = 4 * event_count + before;
    plain.get(start..start + length(place)?).map(<[u8]>::to_vec)
}

/// Stores a block whose first event is `first_seq`.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    block: &Block,
    first_seq: i64,
    source_id: i64,
    received_at: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into blocks \
         (first_seq, event_count, source_id, received_at, size_bytes, codec, data) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(first_seq)
    .bind(i64::try_from(block.event_count).expect("a block is small"))
    .bind(source_id)
    .bind(received_at)
    .bind(i64::try_from(block.size_bytes).expect("a block is small"))
    .bind(CODEC_ZSTD_1)
    .bind(&block.data)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// The original record of an event, byte for byte; `None` when there is no such event.
    pub async fn record(&self, seq: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let row: Option<(i64, i64, i64, i64, Vec<u8>)> = sqlx::query_as(
            "select first_seq, event_count, size_bytes, codec, data from blocks \
             where first_seq <= $1 order by first_seq desc limit 1",
        )
        .bind(seq)
        .fetch_optional(self.readers())
        .await?;
        let Some((first_seq, event_count, size_bytes, codec, data)) = row else { return Ok(None) };
        let place = seq - first_seq;
        if place >= event_count {
            return Ok(None);
        }
        let broken = || StoreError::Corrupt(format!("block {first_seq} cannot be unpacked"));
        if codec != CODEC_ZSTD_1 {
            return Err(StoreError::Corrupt(format!(
                "block {first_seq} has codec {codec}, which is not known here"
            )));
        }
        let size = |number: i64| usize::try_from(number).map_err(|_| broken());
        record_of(&data, size(event_count)?, size(size_bytes)?, size(place)?)
            .map(Some)
            .ok_or_else(broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_byte_for_byte() {
        let records: Vec<Vec<u8>> =
            (0..2500_u32).map(|n| format!("{{\"n\":{n}}}\r").into_bytes()).collect();
        let borrowed: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let blocks = compress(&borrowed).unwrap();
        assert_eq!(
            blocks.iter().map(|block| block.event_count).collect::<Vec<_>>(),
            [1024, 1024, 452]
        );
        for (n, record) in records.iter().enumerate() {
            let block = &blocks[n / BLOCK_EVENTS];
            let back =
                record_of(&block.data, block.event_count, block.size_bytes, n % BLOCK_EVENTS);
            assert_eq!(back.as_ref(), Some(record));
        }
    }

    #[test]
    fn a_block_that_was_cut_short_is_no_panic() {
        let blocks = compress(&[b"{}".as_slice()]).unwrap();
        let block = &blocks[0];
        assert_eq!(record_of(&block.data[..3], 1, block.size_bytes, 0), None);
        assert_eq!(record_of(&block.data, 1, block.size_bytes, 7), None);
    }
}
