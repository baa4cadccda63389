//! The directories of a node as they are on disk: formatted, new or broken.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use ottla_config::{META_PROPERTIES_FILE, MetaProperties, parse_properties};
use ottla_disk::read_small;
use ottla_env::Disk;

/// Longest `meta.properties` that is read; a written one has 120 bytes.
const META_PROPERTIES_MAX_BYTES: u64 = 64 * 1024;

/// What stands in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directory {
    /// There is nothing of that name.
    Absent,
    /// It is a file.
    File,
    /// It has no `meta.properties`.
    New,
    /// It belongs to a node.
    Formatted(MetaProperties),
    /// Its `meta.properties` cannot be read, for this reason.
    Broken(String),
}

/// Looks at one directory.
pub fn look(disk: &dyn Disk, path: &str) -> Directory {
    let path = Path::new(path);
    match disk.stat(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Directory::Absent,
        Err(error) => return Directory::Broken(error.to_string()),
        Ok(stat) if !stat.is_dir => return Directory::File,
        Ok(_) => {}
    }
    match read_small(
        disk,
        &path.join(META_PROPERTIES_FILE),
        META_PROPERTIES_MAX_BYTES,
    ) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Directory::New,
        Err(error) => Directory::Broken(error.to_string()),
        Ok(bytes) => match parse(&bytes) {
            Ok(meta) => Directory::Formatted(meta),
            Err(reason) => Directory::Broken(reason),
        },
    }
}

fn parse(bytes: &[u8]) -> Result<MetaProperties, String> {
    let properties = parse_properties(bytes).map_err(|error| error.to_string())?;
    MetaProperties::from_properties(&properties).map_err(|error| error.to_string())
}

/// Those of `paths` that belong to a node, by path.
pub fn formatted(disk: &dyn Disk, paths: &[String]) -> BTreeMap<String, MetaProperties> {
    paths
        .iter()
        .filter_map(|path| match look(disk, path) {
            Directory::Formatted(meta) => Some((path.clone(), meta)),
            _ => None,
        })
        .collect()
}
