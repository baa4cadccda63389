//! The coordinator as its owner sees it: requests in, records and answers out.

mod bench;
mod classic;
mod golden;
mod model;
mod offsets;
mod statics;
