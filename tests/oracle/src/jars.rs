//! The jars, and where they are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// What copies a project's dependencies into a directory.
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// Oldest Java that Apache Kafka's server runs on.
const JAVA_MIN: u32 = 17;

/// Class paths of Apache Kafka's server and of its tools, which are not of the same release.
#[derive(Debug, Clone)]
pub struct Jars {
    /// Directory with the server's jars.
    pub server: PathBuf,
    /// Directory with the jars of tools and clients.
    pub tools: PathBuf,
}

/// Where everything that tests fetch is kept: `$OTTLA_TEST_CACHE`, or `ottla-tests` in the user's cache.
#[must_use]
pub fn cache_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = variable("OTTLA_TEST_CACHE") {
        return dir.into();
    }
    let base = variable("XDG_CACHE_HOME").map_or_else(
        || Path::new(&variable("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache"),
        PathBuf::from,
    );
    base.join("ottla-tests")
}

/// Why this machine cannot run Apache Kafka, with what to install; `None` if it can.
#[must_use]
pub fn missing() -> Option<String> {
    let Some(java) = output_of("java", &["-version"]) else {
        return Some("java is not installed (apt-get install openjdk-17-jdk-headless)".into());
    };
    if java_major(&java).is_some_and(|major| major < JAVA_MIN) {
        return Some(format!("java is older than {JAVA_MIN}"));
    }
    if output_of("mvn", &["--version"]).is_none() {
        return Some("mvn is not installed (apt-get install maven)".into());
    }
    None
}

/// What a program prints, on both streams; `None` if there is no such program.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The 17 of `openjdk version "17.0.15" 2025-04-15`.
fn java_major(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    version.split(['.', '-', '+']).next()?.parse().ok()
}

impl Jars {
    /// Brings the jars into the cache, if they are not there in the releases that the poms name.
    ///
    /// # Errors
    /// If Maven cannot fetch them.
    pub fn fetch() -> Result<Self> {
        Ok(Self {
            server: fetch("server", include_str!("../server/pom.xml"))?,
            tools: fetch("tools", include_str!("../tools/pom.xml"))?,
        })
    }
}

/// Fetches what `pom` names into `cache/kafka-NAME`.
fn fetch(name: &str, pom: &str) -> Result<PathBuf> {
    let dir = cache_dir().join(format!("kafka-{name}"));
    // The mark holds the pom: another release is another fetch.
    let mark = dir.join("fetched.xml");
    if fs::read_to_string(&mark).is_ok_and(|fetched| fetched == pom) {
        return Ok(dir);
    }
    if let Some(why) = missing() {
        bail!(why);
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    }
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let project = dir.join("pom.xml");
    fs::write(&project, pom)?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&project)
        .arg(COPY)
        .arg(format!("-DoutputDirectory={}", dir.display()))
        .stdin(Stdio::null())
        .output()
        .context("mvn")?;
    if !output.status.success() {
        bail!(
            "maven cannot fetch Apache Kafka's {name}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    fs::write(&mark, pom)?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_names_its_release_in_quotes() {
        let check = |text, expected| assert_eq!(java_major(text), expected, "{text}");
        check("openjdk version \"17.0.15\" 2025-04-15", Some(17));
        check("openjdk version \"25-ea\" 2025-09-16", Some(25));
        check("java version \"1.8.0_292\"", Some(1));
        check("nothing", None);
    }
}
