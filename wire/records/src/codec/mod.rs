//! Codecs of batches: numbers, names, limits, and one reusable context each way.
//!
//! Decompression has a limit on its output, checked while it runs, so a few bytes cannot fill the memory. Contexts and
//! buffers are kept in [`Decompressor`] and [`Compressor`], of which a thread needs one each.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use std::fmt;
use std::str::FromStr;

/// Codec of a batch; the number stands in the attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Compression {
    /// Plain records.
    #[default]
    None,
    /// gzip.
    Gzip,
    /// Snappy, in xerial framing or raw.
    Snappy,
    /// LZ4 frame.
    Lz4,
    /// Zstandard (KIP-110).
    Zstd,
}

impl Compression {
    /// All codecs in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in the attributes.
    #[must_use]
    pub fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec of a number.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.id() == id)
    }

    /// As [`from_id`](Self::from_id).
    ///
    /// # Errors
    /// [`CodecError::Unknown`] for a number without a codec.
    pub fn require(id: u8) -> Result<Self, CodecError> {
        Self::from_id(id).ok_or(CodecError::Unknown { id })
    }

    /// The name in configs: `none`, `gzip`, `snappy`, `lz4`, `zstd`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a codec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown compression name={0:?}")]
pub struct UnknownCompression(pub String);

impl FromStr for Compression {
    type Err = UnknownCompression;

    /// Takes the config names, and `uncompressed`, which a topic's `compression.type` says for `none`.
    fn from_str(name: &str) -> Result<Self, UnknownCompression> {
        if name == "uncompressed" {
            return Ok(Self::None);
        }
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| UnknownCompression(name.to_owned()))
    }
}

/// A stream could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The attribute bits name no codec.
    #[error("unknown codec id={id}")]
    Unknown {
        /// The number.
        id: u8,
    },
    /// The stream is cut off or broken.
    #[error("compressed stream is corrupt codec={codec}")]
    Corrupt {
        /// Its codec.
        codec: Compression,
    },
    /// The output is larger than allowed.
    #[error("decompressed records are too large codec={codec} limit={limit}")]
    TooLarge {
        /// Its codec.
        codec: Compression,
        /// Largest output allowed.
        limit: usize,
    },
}

/// Largest output of one decompression; a batch that becomes more is refused.
///
/// Kafka differs: it has no such limit, so a few hundred bytes can fill the memory of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit(pub usize);

impl OutputLimit {
    /// Output that a batch of any size may have. A repetitive batch may shrink a thousand times, so a factor alone
    /// would refuse honest producers.
    pub const ALWAYS: usize = 64 << 20;
    /// Growth that a larger batch may have.
    pub const FACTOR: usize = 16;

    /// The limit for `wire_bytes` of compressed records: 64 MiB, or 16 times the input if that is more. Never above
    /// `i32::MAX`, the largest batch there can be.
    #[must_use]
    pub fn for_wire(wire_bytes: usize) -> Self {
        let scaled = wire_bytes.saturating_mul(Self::FACTOR);
        Self(scaled.clamp(
            Self::ALWAYS,
            usize::try_from(i32::MAX).expect("usize is 32 bits or more"),
        ))
    }
}

/// Output memory that a [`Decompressor`] keeps between batches. A larger batch gets its memory for the time of its use
/// only: it goes back at the next batch.
pub const SCRATCH_KEEP_MAX: usize = 4 << 20;

/// Contexts and output memory of all codecs, made at first use and reused.
#[derive(Default)]
pub struct Decompressor {
    out: Output,
    gzip: Option<Box<flate2::Decompress>>,
    zstd: Option<::zstd::zstd_safe::DCtx<'static>>,
    snappy: snap::raw::Decoder,
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor")
            .field("kept_bytes", &self.out.buf.capacity())
            .finish()
    }
}

impl Decompressor {
    /// An empty one; memory comes with the first batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decompresses `input` and returns the output, which stays valid until the next call.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] for a broken stream, [`CodecError::TooLarge`] above `limit`.
    pub fn decompress(
        &mut self,
        codec: Compression,
        input: &[u8],
        limit: OutputLimit,
    ) -> Result<&[u8], CodecError> {
        self.decompress_framed(codec, input, limit, lz4::HeaderChecksum::Checked)
    }

    /// As [`decompress`](Self::decompress), for wrappers of magic 0, whose LZ4 frames carry a wrong header checksum (KAFKA-3160).
    pub(crate) fn decompress_magic_0(
        &mut self,
        codec: Compression,
        input: &[u8],
        limit: OutputLimit,
    ) -> Result<&[u8], CodecError> {
        self.decompress_framed(codec, input, limit, lz4::HeaderChecksum::Ignored)
    }

    fn decompress_framed(
        &mut self,
        codec: Compression,
        input: &[u8],
        limit: OutputLimit,
        lz4_checksum: lz4::HeaderChecksum,
    ) -> Result<&[u8], CodecError> {
        self.out.start(limit.0);
        let done = match codec {
            Compression::None => self.out.extend(input),
            Compression::Gzip => gzip::decompress(&mut self.gzip, input, &mut self.out),
            Compression::Snappy => snappy::decompress(&mut self.snappy, input, &mut self.out),
            Compression::Lz4 => lz4::decompress(input, lz4_checksum, &mut self.out),
            Compression::Zstd => zstd::decompress(&mut self.zstd, input, &mut self.out),
        };
        match done {
            Ok(()) => Ok(self.out.filled()),
            Err(Failure::Corrupt) => Err(CodecError::Corrupt { codec }),
            Err(Failure::TooLarge) => Err(CodecError::TooLarge {
                codec,
                limit: limit.0,
            }),
        }
    }
}

/// Why a codec stopped; the caller adds which one and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Corrupt,
    TooLarge,
}

/// Output memory with a limit. The buffer's length is the part ever initialised, so that memory is zeroed once and not
/// per batch.
#[derive(Default)]
struct Output {
    buf: Vec<u8>,
    filled: usize,
    limit: usize,
}

impl Output {
    fn start(&mut self, limit: usize) {
        if self.buf.capacity() > SCRATCH_KEEP_MAX {
            self.buf = Vec::new();
        }
        self.filled = 0;
        self.limit = limit;
    }

    fn filled(&self) -> &[u8] {
        self.buf.get(..self.filled).unwrap_or_default()
    }

    /// At least one and at most `want` writable bytes behind what is filled, fewer near the limit.
    ///
    /// `TooLarge` if the limit is reached.
    fn room(&mut self, want: usize) -> Result<&mut [u8], Failure> {
        let end = self.filled.saturating_add(want.max(1)).min(self.limit);
        if end <= self.filled {
            return Err(Failure::TooLarge);
        }
        if self.buf.len() < end {
            // Doubling keeps the number of moves small; the limit keeps the doubling small.
            let target = end
                .max(self.buf.len().saturating_mul(2))
                .min(self.limit.max(end));
            self.buf.resize(target, 0);
        }
        self.buf.get_mut(self.filled..end).ok_or(Failure::TooLarge)
    }

    /// Marks `written` bytes of the last room as filled.
    fn advance(&mut self, written: usize) {
        self.filled = self.filled.saturating_add(written).min(self.buf.len());
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        let room = self.room(bytes.len())?;
        if room.len() < bytes.len() {
            return Err(Failure::TooLarge);
        }
        room.copy_from_slice(bytes);
        self.advance(bytes.len());
        Ok(())
    }
}

/// How hard to compress, per codec, in the range of Kafka's `compression.*.level` configs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// `compression.gzip.level`: 1 to 9, or -1 for the codec's default.
    pub gzip: i32,
    /// `compression.lz4.level`: 1 to 17.
    ///
    /// Kafka differs: every level compresses at lz4's fast level, because the pure Rust implementation has no other. The
    /// output is valid LZ4 all the same.
    pub lz4: i32,
    /// `compression.zstd.level`: -131072 to 22.
    pub zstd: i32,
}

impl Default for Levels {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            gzip: -1,
            lz4: 9,
            zstd: 3,
        }
    }
}

/// The codec refused to compress: the input is larger than it can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot compress codec={codec} bytes={bytes}")]
pub struct CompressError {
    /// Its codec.
    pub codec: Compression,
    /// Size of the input.
    pub bytes: usize,
}

/// Contexts of all codecs for compression, made at first use and reused.
#[derive(Default)]
pub struct Compressor {
    gzip: Option<(i32, Box<flate2::Compress>)>,
    lz4: Option<lz4::Table>,
    snappy: Option<snap::raw::Encoder>,
    zstd: Option<::zstd::zstd_safe::CCtx<'static>>,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compressor")
    }
}

impl Compressor {
    /// An empty one; memory comes with the first use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `input`, compressed, to `out`.
    ///
    /// # Errors
    /// [`CompressError`] if the codec cannot take the input.
    pub fn compress(
        &mut self,
        codec: Compression,
        levels: Levels,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressError> {
        let done = match codec {
            Compression::None => {
                out.extend_from_slice(input);
                Some(())
            }
            Compression::Gzip => gzip::compress(&mut self.gzip, levels.gzip, input, out),
            Compression::Snappy => snappy::compress(&mut self.snappy, input, out),
            Compression::Lz4 => lz4::compress(&mut self.lz4, input, out),
            Compression::Zstd => zstd::compress(&mut self.zstd, levels.zstd, input, out),
        };
        done.ok_or(CompressError {
            codec,
            bytes: input.len(),
        })
    }
}
