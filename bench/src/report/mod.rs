//! What a reader sees: lines on the terminal, a table of ratios, a page with plots.

mod compare;
mod html;
mod svg;
mod text;

pub(crate) use compare::Report;
pub(crate) use html::page;
pub(crate) use text::{document, one_line, table};
