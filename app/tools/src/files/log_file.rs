//! The batches of a file, one after the other: a segment of a log or a snapshot of the metadata.
//!
//! Only one batch is in memory, and its length is believed no further than the file reaches. Where Kafka's
//! reader stops without a word, this one does too: at a batch that reaches past the end.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ottla_records::{BatchHeader, HEADER_SIZE, MAGIC_V2, crc32c, layout};

use super::exception::Exception;

/// Smallest length field that there is: that of a message of magic 0.
const LENGTH_MIN: i32 = 14;

/// An open file of batches.
#[derive(Debug)]
pub(crate) struct LogFile {
    file: File,
    path: PathBuf,
    len: u64,
}

/// One batch, or message of an old format.
#[derive(Debug)]
pub(crate) struct RawBatch<'a> {
    /// Where it begins.
    pub(crate) position: u64,
    /// All its bytes; for a batch v2 that is shorter than its header, what follows it too.
    pub(crate) bytes: &'a [u8],
    /// Its length with the length field.
    pub(crate) size: u64,
    /// Its format as it stands in the file.
    pub(crate) magic: i8,
}

impl LogFile {
    /// Opens a file.
    ///
    /// # Errors
    /// What Java says if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, Exception> {
        let of = |error| Exception::of_io(path, &error);
        let file = File::open(path).map_err(of)?;
        let len = file.metadata().map_err(of)?.len();
        Ok(Self {
            file,
            path: path.to_owned(),
            len,
        })
    }

    /// Length of the file.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The batches that lie within `size` bytes from `start`.
    ///
    /// # Errors
    /// What Java says of a start behind the end.
    pub(crate) fn batches(&self, start: u64, size: u64) -> Result<BatchReader<'_>, Exception> {
        if start > self.len {
            let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
            return Err(Exception::new(
                "java.lang.IllegalArgumentException",
                format!(
                    "Slice from position {start} exceeds end position of FileRecords(size={}, \
                     file={}, start=0, end=2147483647)",
                    self.len,
                    path.display()
                ),
            ));
        }
        Ok(BatchReader {
            log: self,
            position: start,
            end: start.saturating_add(size).min(self.len),
            buffer: Vec::new(),
        })
    }
}

/// Reads batches in order.
#[derive(Debug)]
pub(crate) struct BatchReader<'a> {
    log: &'a LogFile,
    position: u64,
    end: u64,
    buffer: Vec<u8>,
}

impl BatchReader<'_> {
    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// What Java says of a length that cannot be, or of a file that cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<RawBatch<'_>>, Exception> {
        const UP_TO_MAGIC: u64 = 17;
        let log = self.log;
        let of = |error| Exception::of_io(&log.path, &error);
        let position = self.position;
        if position.saturating_add(UP_TO_MAGIC) >= self.end {
            return Ok(None);
        }
        let mut start = [0; layout::UP_TO_MAGIC];
        log.file.read_exact_at(&mut start, position).map_err(of)?;
        let [_, _, _, _, _, _, _, _, a, b, c, d, _, _, _, _, magic] = start;
        let length = i32::from_be_bytes([a, b, c, d]);
        if length < LENGTH_MIN {
            return Err(Exception::new(
                "org.apache.kafka.common.errors.CorruptRecordException",
                format!(
                    "Found record size {length} smaller than minimum record overhead \
                     ({LENGTH_MIN}) in file {}.",
                    log.path.display()
                ),
            ));
        }
        let size = u64::from(length.unsigned_abs()) + 12;
        if position.saturating_add(size) > self.end {
            return Ok(None);
        }
        // A header reaches past a batch that is too short for one.
        let wanted = size.max(HEADER_SIZE as u64).min(log.len - position);
        let wanted = usize::try_from(wanted)
            .map_err(|_| Exception::new("java.lang.OutOfMemoryError", "Java heap space"))?;
        self.buffer.resize(wanted, 0);
        log.file
            .read_exact_at(&mut self.buffer, position)
            .map_err(of)?;
        self.position = position + size;
        Ok(Some(RawBatch {
            position,
            bytes: &self.buffer,
            size,
            magic: i8::from_be_bytes([magic]),
        }))
    }
}

impl RawBatch<'_> {
    /// The header, if this is no message of an old format. The magic is taken for 2, as Kafka's reader does.
    ///
    /// # Errors
    /// What Java says of a header that is cut off.
    pub(crate) fn header(&self) -> Result<BatchHeader, Exception> {
        let cut_off = || {
            Exception::new(
                "org.apache.kafka.common.KafkaException",
                format!(
                    "Failed to load record batch at position {} with size {}",
                    self.position, self.size
                ),
            )
        };
        let mut header = *self
            .bytes
            .first_chunk::<HEADER_SIZE>()
            .ok_or_else(cut_off)?;
        let [magic] = MAGIC_V2.to_be_bytes();
        if let Some(place) = header.get_mut(layout::UP_TO_MAGIC - 1) {
            *place = magic;
        }
        BatchHeader::decode(&header).map_err(|_| cut_off())
    }

    /// Bytes of the batch alone.
    pub(crate) fn own_bytes(&self) -> &[u8] {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        self.bytes.get(..size).unwrap_or(self.bytes)
    }

    /// Whether the checksum of a batch v2 is right.
    pub(crate) fn is_valid(&self, header: &BatchHeader) -> bool {
        let own = self.own_bytes();
        own.len() >= HEADER_SIZE && own.get(21..).is_some_and(|rest| crc32c(rest) == header.crc)
    }
}
