//! Lists the console's files for `src/edge/assets.rs`, each with a gzip form where that is smaller,
//! and has a release linked small where the linker knows how.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=console");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("console");
    let mut files = Vec::new();
    if root.is_dir() {
        find(&root, &mut files)?;
    }
    files.sort();
    let mut list = String::from("[\n");
    for (n, file) in files.iter().enumerate() {
        let name = file.strip_prefix(&root).map_err(io::Error::other)?.display().to_string();
        let packed = out.join(format!("{n}.gz"));
        let gzip = if pack(file, &packed)? {
            format!("Some(include_bytes!({:?}))", packed.display().to_string())
        } else {
            "None".to_owned()
        };
        let file = file.display().to_string();
        writeln!(list, "(\"{name}\", include_bytes!({file:?}), {gzip}),")
            .map_err(io::Error::other)?;
    }
    list.push(']');
    fs::write(out.join("console.rs"), list)?;
    link_small(&out);
    Ok(())
}

/// Equal functions once, and relocations as a list of bits: a tenth of the program.
const SMALLER: [&str; 2] = ["-Wl,--icf=safe", "-Wl,-z,pack-relative-relocs"];

fn link_small(out: &Path) {
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    if env::var_os("PROFILE").is_some_and(|profile| profile == "release") {
        for flag in SMALLER.iter().filter(|flag| links_with(flag, out).unwrap_or(false)) {
            println!("cargo::rustc-link-arg-bins={flag}");
        }
    }
}

/// Whether an empty program can be linked so.
fn links_with(flag: &str, out: &Path) -> io::Result<bool> {
    let source = out.join("empty.rs");
    fs::write(&source, "fn main() {}\n")?;
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.arg(source).arg("-o").arg(out.join("empty")).args(["-C", &format!("link-arg={flag}")]);
    for (variable, option) in [("TARGET", "--target="), ("RUSTC_LINKER", "-Clinker=")] {
        if let Ok(value) = env::var(variable) {
            command.arg(format!("{option}{value}"));
        }
    }
    Ok(command.output()?.status.success())
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let served = path.extension().is_some_and(|kind| kind != "json" && kind != "md");
        if path.is_dir() && !hidden {
            find(&path, files)?;
        } else if served && !hidden {
            files.push(path);
        }
    }
    Ok(())
}

/// Writes the gzip form if Debian's gzip is there and it is worth it.
fn pack(file: &Path, packed: &Path) -> io::Result<bool> {
    let Ok(output) = Command::new("gzip").args(["-9nc"]).arg(file).output() else {
        return Ok(false);
    };
    let smaller = (output.stdout.len() as u64) < fs::metadata(file)?.len() * 9 / 10;
    if !output.status.success() || !smaller {
        return Ok(false);
    }
    fs::write(packed, output.stdout)?;
    Ok(true)
}
