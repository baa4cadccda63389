//! What the console consumers have in common when they print records.

use crate::common::output;

/// Bytes of output that are collected before they are written.
pub(crate) const OUTPUT_CHUNK: usize = 64 * 1024;

/// Writes what was collected. `false` if nobody reads it any more.
pub(crate) fn written(out: &mut Vec<u8>) -> bool {
    let result = output::try_bytes(out);
    out.clear();
    if result.is_err() {
        output::error_line("Unable to write to standard out, closing consumer.");
    }
    result.is_ok()
}

/// The exception without a text that Kafka's tools make where nothing arrives in time.
pub(crate) fn timed_out() -> String {
    "org.apache.kafka.common.errors.TimeoutException".to_owned()
}
