//! What `kafka-dump-log` is asked for.

use crate::common::jopt::{OptionError, Options};
use crate::common::usage::Failure;

use super::decode::{Decoder, Parser};

/// The options, read.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Asked {
    /// Records are shown one by one.
    pub(super) deep: bool,
    /// What is in them is shown.
    pub(super) contents: bool,
    pub(super) parser: Parser,
    pub(super) skip_record_metadata: bool,
    pub(super) verify_only: bool,
    pub(super) sanity_only: bool,
    /// Bytes of a log that are looked at.
    pub(super) max_bytes: i32,
    /// Bytes behind an index entry in which its batch must lie.
    pub(super) max_message_size: i32,
}

/// Default of `--max-message-size`.
const MAX_MESSAGE_SIZE: i32 = 5 * 1024 * 1024;

impl Asked {
    /// Reads the options.
    pub(super) fn new(options: &Options) -> Result<Self, Failure> {
        let parser = parser(options)?;
        let contents = options.has("print-data-log")
            || DECODERS.iter().any(|(name, _)| options.has(name))
            || options.has("key-decoder-class")
            || options.has("value-decoder-class");
        Ok(Self {
            deep: contents || options.has("deep-iteration"),
            contents,
            parser,
            skip_record_metadata: options.has("skip-record-metadata"),
            verify_only: options.has("verify-index-only"),
            sanity_only: options.has("index-sanity-check"),
            max_bytes: options.number("max-bytes")?.unwrap_or(i32::MAX),
            max_message_size: options
                .number("max-message-size")?
                .unwrap_or(MAX_MESSAGE_SIZE),
        })
    }
}

type MakeParser = fn() -> Parser;

/// Decoders in the order in which they win over each other.
const DECODERS: [(&str, MakeParser); 5] = [
    ("offsets-decoder", Parser::offsets),
    ("transaction-log-decoder", Parser::transactions),
    ("cluster-metadata-decoder", Parser::cluster_metadata),
    ("remote-log-metadata-decoder", || Parser::RemoteLogMetadata),
    ("share-group-state-decoder", Parser::share_state),
];

fn parser(options: &Options) -> Result<Parser, Failure> {
    let found = DECODERS.iter().find(|(name, _)| options.has(name));
    if let Some((_, parser)) = found {
        return Ok(parser());
    }
    let decoder = |name: &str| -> Result<Decoder, Failure> {
        let class: Result<_, OptionError> = options.value(name);
        match class? {
            None => Ok(Decoder::Text),
            Some(class) => Decoder::of_class(class).ok_or_else(|| {
                Failure::Failed(format!(
                    "Exception in thread \"main\" java.lang.RuntimeException: Failed to load decoder \
                     class\nCaused by: java.lang.ClassNotFoundException: {class}"
                ))
            }),
        }
    };
    Ok(Parser::Plain {
        key: decoder("key-decoder-class")?,
        value: decoder("value-decoder-class")?,
    })
}
