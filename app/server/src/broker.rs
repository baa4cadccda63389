//! The broker's side of the cluster metadata.

pub mod apply;
pub(crate) mod lifecycle;
pub(crate) mod loading;
