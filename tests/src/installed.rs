//! How foreign clients are installed, by their own package managers and at pinned versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use anyhow::{Context as _, Result, bail, ensure};
use ottla_oracle::{Jars, cache_dir, python_environment};

use crate::foreign::{Foreign, Kind};

/// Oldest Node.js that the clients in JavaScript run on.
const NODE_MIN: u32 = 20;

/// Oldest Go that fetches the newer one which the client in Go asks for.
const GO_MIN: &str = "1.21";

/// Lets tests run that need minutes to be built.
const SLOW: &str = "OTTLA_TESTS_SLOW";

/// Tests of rskafka that come to nothing without a proxy or a broker with passwords.
const RSKAFKA_WITHOUT: &[&str] = &["test_sasl", "test_socks5"];

/// Held while something is installed, and shared by the clients that run: whoever compiles a hundred packages would else
/// take the processor from those that wait for an answer, and two tests may want the same environment.
pub(crate) static INSTALLING: RwLock<()> = RwLock::new(());

fn alone() -> RwLockWriteGuard<'static, ()> {
    INSTALLING.write().unwrap_or_else(PoisonError::into_inner)
}

/// A client that is a program of its own and reports in lines of our own.
fn prints_lines(command: Command) -> Foreign {
    Foreign {
        command,
        version: None,
        kind: Kind::Program,
    }
}

/// The directory with the clients' scenarios.
fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// A client in Python, in an environment that holds exactly what `requirements.txt` names.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn python(script: &str) -> Result<Foreign> {
    let _alone = alone();
    let dir = scenarios().join("python");
    let python = python_environment("python", &dir.join("requirements.txt"))?;
    let mut command = Command::new(python);
    command
        .arg(dir.join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(prints_lines(command))
}

/// A client in Java, from a source file, on the class path of Apache Kafka's clients.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn java(source: &str) -> Result<Foreign> {
    let _alone = alone();
    let command = Jars::fetch()?.source(&scenarios().join("java").join(source));
    Ok(prints_lines(command))
}

/// A client in Rust that is built into the cache, by the lock file that lies beside it.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn cargo(name: &str) -> Result<Foreign> {
    let _alone = alone();
    let dir = scenarios().join(name);
    let target = cache_dir().join(name);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(dir.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        // These are of the workspace that the tests run in.
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS"))
    .with_context(|| format!("{} cannot be built", dir.display()))?;
    let command = Command::new(target.join("debug").join(format!("{name}-scenarios")));
    Ok(Foreign {
        version: Some(locked(&dir.join("Cargo.lock"), name)?),
        ..prints_lines(command)
    })
}

/// A client that a script drives; `program` has to be installed.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn bash(program: &str, script: &str, install: &str) -> Result<Foreign> {
    if Command::new(program)
        .arg("-V")
        .stdin(Stdio::null())
        .output()
        .is_err()
    {
        bail!("{program} is not installed ({install})");
    }
    let mut command = Command::new("bash");
    command.arg(scenarios().join(script));
    Ok(prints_lines(command))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

/// A client in JavaScript, with exactly the packages that `package-lock.json` names.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn node(script: &str) -> Result<Foreign> {
    let _alone = alone();
    let version = output_of("node", &["--version"])
        .context("node is not installed (apt-get install nodejs npm)")?;
    let major = version.trim_start_matches('v').split('.').next();
    let major = major.and_then(|major| major.parse::<u32>().ok());
    ensure!(
        major.is_some_and(|major| major >= NODE_MIN),
        "node {} is older than {NODE_MIN}",
        version.trim()
    );
    let (from, to) = (scenarios().join("node"), cache_dir().join("node"));
    fs::create_dir_all(&to)?;
    let lock = fs::read_to_string(from.join("package-lock.json"))?;
    let mark = to.join("installed.json");
    if !fs::read_to_string(&mark).is_ok_and(|installed| installed == lock) {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(from.join(file), to.join(file))?;
        }
        run(Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&to))
        .context("the packages of tests/clients/node cannot be installed with npm")?;
        fs::write(&mark, lock)?;
    }
    // Modules are looked for beside the script that asks for them.
    for file in ["scenario.mjs", script] {
        fs::copy(from.join(file), to.join(file))?;
    }
    let mut command = Command::new("node");
    command.arg(to.join(script));
    Ok(prints_lines(command))
}

/// A client in Go, built into the cache by the versions and checksums of its `go.mod` and `go.sum`.
///
/// # Errors
/// Why this machine cannot run it, and what to install.
pub fn go(name: &str) -> Result<Foreign> {
    output_of("go", &["version"])
        .with_context(|| format!("go is not installed ({GO_MIN} or newer, https://go.dev/dl)"))?;
    let _alone = alone();
    let program_file = cache_dir().join(format!("{name}-scenarios"));
    run(Command::new("go")
        .args(["build", "-mod=readonly", "-o"])
        .arg(&program_file)
        .arg(".")
        .current_dir(scenarios().join(name)))
    .with_context(|| format!("tests/clients/{name} cannot be built"))?;
    Ok(prints_lines(Command::new(program_file)))
}

/// The integration tests that rskafka publishes with itself, each file a program of `cargo test`.
///
/// # Errors
/// Why this machine cannot run them, and what to install.
pub fn rskafka() -> Result<Foreign> {
    rskafka_tests(&["client", "consumer", "producer"], &[])
}

/// Those of its tests that need librdkafka, only where somebody has the patience to build it.
///
/// # Errors
/// Why this machine cannot run them, and what to install.
pub fn rskafka_with_librdkafka() -> Result<Foreign> {
    if std::env::var_os(SLOW).is_none() {
        bail!("it builds librdkafka, which takes minutes; with {SLOW}=1 it runs");
    }
    rskafka_tests(&["produce_consume"], &["--features", "interop"])
}

fn rskafka_tests(files: &[&str], features: &[&str]) -> Result<Foreign> {
    let _alone = alone();
    let from = scenarios().join("rskafka");
    let published = published(&from.join("Cargo.toml"), "rskafka")?;
    // The helpers are modules of several files, and each file is a test.
    let to = cache_dir().join(format!("rskafka/{}", files.join("-")));
    let tests = to.join("tests");
    fs::create_dir_all(&tests)?;
    for file in ["Cargo.toml", "Cargo.lock", "lib.rs"] {
        fs::copy(from.join(file), to.join(file))?;
    }
    let helpers: &[&str] = if features.is_empty() {
        &["test_helpers"]
    } else {
        &["test_helpers", "java_helper", "rdkafka_helper"]
    };
    for file in files.iter().chain(helpers) {
        let name = format!("{file}.rs");
        fs::copy(published.join("tests").join(&name), tests.join(&name))
            .with_context(|| format!("rskafka is published without tests/{name}"))?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--quiet", "--locked", "--no-fail-fast"])
        .args(features)
        .arg("--manifest-path")
        .arg(to.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(cache_dir().join("rskafka/target"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS");
    for file in files {
        command.args(["--test", file]);
    }
    let built = run(command.arg("--no-run"));
    built.context("rskafka's tests cannot be built")?;
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut tests = Command::new(command.get_program());
    tests
        .args(
            arguments
                .iter()
                .filter(|one| *one != "--no-run" && *one != "--quiet"),
        )
        .arg("--")
        .args(RSKAFKA_WITHOUT.iter().flat_map(|name| ["--skip", name]))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .env("TEST_INTEGRATION", "1")
        .env("TEST_BROKER_IMPL", "kafka");
    Ok(Foreign {
        command: tests,
        version: Some(locked(&from.join("Cargo.lock"), "rskafka")?),
        kind: Kind::CargoTest("KAFKA_CONNECT"),
    })
}

/// Where cargo unpacked a dependency of a package.
fn published(manifest: &Path, name: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--manifest-path",
        ])
        .arg(manifest)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let manifest = packages
        .iter()
        .find(|package| package["name"] == name)
        .and_then(|package| package["manifest_path"].as_str())
        .with_context(|| format!("cargo does not know {name}"))?;
    let folder = Path::new(manifest).parent();
    Ok(folder.context("a manifest without folder")?.to_owned())
}

/// The version of a package in a lock file of cargo.
fn locked(lock: &Path, name: &str) -> Result<String> {
    let text = fs::read_to_string(lock)?;
    let mut lines = text.lines();
    lines
        .find(|line| *line == format!("name = \"{name}\""))
        .and_then(|_| lines.next())
        .and_then(|line| line.strip_prefix("version = "))
        .map(|version| version.trim_matches('"').to_owned())
        .with_context(|| format!("{}: no {name}", lock.display()))
}

/// What a program prints; `None` if there is no such program.
fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
