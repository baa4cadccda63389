//! The broker's side of the cluster metadata.

pub mod apply;
