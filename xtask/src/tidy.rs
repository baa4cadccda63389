//! `cargo xtask tidy`: what no compiler checks - the layers, and the rules of the house.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{docs, source_rules};

/// Who may depend on whom, by the first folder of a crate's path. Own folder is always allowed.
const EDGES: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("wire", &["base"]),
    ("core", &["wire", "base"]),
    ("io", &["base"]),
    ("app", &["io", "core", "wire", "base"]),
    ("sim", &["app", "io", "core", "wire", "base"]),
    ("tests", &["app", "io", "core", "wire", "base", "sim"]),
    ("bench", &["app", "io", "core", "wire", "base"]),
    ("xtask", &["wire", "base", "tests"]),
];

/// A core decides; it has no runtime, no randomness and no sockets, not even by way of a dependency.
const NEVER_BELOW_CORE: &[&str] = &["tokio", "rand", "mio", "getrandom", "rustix", "socket2"];

/// Licences that go with Apache-2.0 in one binary.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "MIT-0",
    "BSL-1.0",
    "MPL-2.0",
    // The list of root certificates, which is data.
    "CDLA-Permissive-2.0",
];

/// Checks everything and prints each finding on a line of its own.
///
/// # Errors
/// If there is a finding, or `cargo metadata` cannot be read.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut findings = Vec::new();
    let metadata = metadata(root)?;
    check_edges(&metadata, &mut findings);
    check_core_dependencies(&metadata, &mut findings);
    check_licences(&metadata, &mut findings);
    let mut files = Vec::new();
    rust_files(root, &mut files)?;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let name = file
            .strip_prefix(root)
            .unwrap_or(file)
            .display()
            .to_string();
        source_rules::check(&name, &text, &mut findings);
    }
    docs::check(root, &mut findings)?;
    for finding in &findings {
        println!("tidy: {finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, nothing to say", files.len());
        return Ok(());
    }
    bail!("{} findings", findings.len())
}

fn metadata(root: &Path) -> Result<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .context("cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The first folder of a workspace crate, such as `core` of `core/log`; `None` for a foreign crate.
fn layer<'a>(metadata: &Value, package: &'a Value) -> Option<&'a str> {
    if !package["source"].is_null() {
        return None;
    }
    let path = text(package, "manifest_path");
    let inside = path
        .strip_prefix(text(metadata, "workspace_root"))?
        .trim_start_matches('/');
    inside.split('/').next()
}

fn check_edges(metadata: &Value, findings: &mut Vec<String>) {
    let layers: BTreeMap<&str, &str> = list(metadata, "packages")
        .filter_map(|package| Some((text(package, "name"), layer(metadata, package)?)))
        .collect();
    for package in list(metadata, "packages") {
        let Some(from) = layer(metadata, package) else {
            continue;
        };
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == from) else {
            findings.push(format!("folder `{from}` is not in the table of layers"));
            continue;
        };
        for dependency in list(package, "dependencies") {
            if dependency["kind"] == "dev" {
                continue; // A test may build what it needs.
            }
            let Some(to) = layers.get(text(dependency, "name")) else {
                continue;
            };
            if *to != from && !allowed.contains(to) {
                let (name, on) = (text(package, "name"), text(dependency, "name"));
                findings.push(format!("{name} ({from}) may not depend on {on} ({to})"));
            }
        }
    }
}

fn check_core_dependencies(metadata: &Value, findings: &mut Vec<String>) {
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in list(&metadata["resolve"], "nodes") {
        let normal = list(node, "deps")
            .filter(|dep| list(dep, "dep_kinds").any(|kind| kind["kind"].is_null()))
            .map(|dep| text(dep, "pkg"));
        edges.insert(text(node, "id"), normal.collect());
    }
    let names: BTreeMap<&str, &str> = list(metadata, "packages")
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    for package in list(metadata, "packages") {
        if !matches!(layer(metadata, package), Some("base" | "wire" | "core")) {
            continue;
        }
        let mut seen = BTreeSet::new();
        let mut open = vec![text(package, "id")];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(edges.get(id).into_iter().flatten());
            }
        }
        for banned in seen.iter().filter_map(|id| names.get(id)) {
            // The C build of zstd and the hashing crates bring getrandom for their build only.
            if NEVER_BELOW_CORE.contains(banned) {
                findings.push(format!("{} reaches `{banned}`", text(package, "name")));
            }
        }
    }
}

fn check_licences(metadata: &Value, findings: &mut Vec<String>) {
    for package in list(metadata, "packages") {
        let licence = text(package, "license");
        let known = licence
            .split(" OR ")
            .flat_map(|one| one.split('/'))
            .any(|one| one.split(" AND ").all(known_licence));
        if !known {
            findings.push(format!("{}: licence `{licence}`", text(package, "name")));
        }
    }
}

fn known_licence(part: &str) -> bool {
    let part = part.trim_matches(|c| c == '(' || c == ')' || c == ' ');
    LICENCES.contains(&part.split(" WITH ").next().unwrap_or(part))
}

/// Every source file below `dir`, in the order of the names.
pub(crate) fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<_> = fs::read_dir(dir)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                rust_files(&path, files)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_read_as_expressions() {
        let check = |licence: &str| {
            let metadata = serde_json::json!({"packages": [{"name": "x", "license": licence}]});
            let mut findings = Vec::new();
            check_licences(&metadata, &mut findings);
            findings.is_empty()
        };
        assert!(check("MIT OR Apache-2.0"));
        assert!(check("MIT/Apache-2.0"));
        assert!(check("(MIT OR GPL-3.0) AND Unicode-3.0") || check("MIT AND Unicode-3.0"));
        assert!(check("Apache-2.0 WITH LLVM-exception"));
        assert!(!check("GPL-3.0"));
        assert!(!check("MIT AND GPL-3.0"));
    }
}
