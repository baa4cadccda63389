//! One partition's log, as far as it can be decided without a disk: formats, limits and plans.
//!
//! | subject | module |
//! |---|---|
//! | settings | [`config`] |
//! | names of files and directories | [`names`] |
//! | one entry of a segment, of any format | [`entry`] |
//! | offset, time and transaction index | [`index`], [`offset_index`], [`time_index`], [`txn_index`] |
//! | leader epochs | [`epoch_cache`] |
//! | idempotence and open transactions (KIP-98) | [`producer_state`], [`producer_snapshot`] |
//! | when a segment is closed, when it goes | [`roll`], [`retention`] |
//! | what has to be read after a stop | [`recovery`] |
//! | small text files | [`checkpoint_file`] |
//!
//! No file is opened here and no clock is read: the storage layer asks these modules what to do and does it.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod checkpoint_file;
pub mod config;
pub mod entry;
pub mod epoch_cache;
pub mod index;
pub mod names;
pub mod offset_index;
pub mod producer_snapshot;
pub mod producer_state;
pub mod recovery;
pub mod retention;
pub mod roll;
pub mod time_index;
pub mod txn_index;

pub use config::{CleanupPolicy, LogConfig};
