//! House rules that a machine can check. Each rule is a pure function from text to findings, shown
//! below to be able to fail; `the_project_is_tidy` puts them on every file.

use std::fs;
use std::path::{Path, PathBuf};

const LINE_MAX: usize = 100;
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// A word that belongs into one place only.
struct Banned {
    /// Any of these; written in two parts so that this file does not contain them.
    words: &'static [&'static [&'static str; 2]],
    /// Files or folders where it may stand.
    home: &'static [&'static str],
    /// Whether tests may use it too.
    in_tests: bool,
    why: &'static str,
}

const BANNED: &[Banned] = &[
    Banned {
        words: &[
            &["TO", "DO"],
            &["FIX", "ME"],
            &["XX", "X"],
            &["todo", "!("],
            &["unimplemen", "ted!("],
        ],
        home: &[],
        in_tests: false,
        why: "finish it, or write an issue",
    },
    Banned {
        words: &[&["db", "g!("], &["console", ".log("]],
        home: &[],
        in_tests: false,
        why: "debugging does not land",
    },
    Banned {
        words: &[&["print", "ln!("], &["eprint", "ln!("], &["print", "!("]],
        home: &["src/main.rs", "src/cli.rs", "src/cli/", "build.rs"],
        in_tests: true,
        why: "only the command line talks to the terminal; the rest logs",
    },
    Banned {
        words: &[&["thread::", "Builder"], &["std::thread::", "spawn"], &["thread::", "scope"]],
        home: &["src/thread.rs"],
        in_tests: true,
        why: "threads start in src/thread.rs, with a name and an owner",
    },
    Banned {
        words: &[&["Instant::", "now"], &["SystemTime::", "now"], &["thread::", "sleep"]],
        home: &["src/base/clock.rs"],
        in_tests: true,
        why: "time comes from src/base/clock.rs",
    },
    Banned {
        words: &[&["thread::", "sleep"]],
        home: &["src/base/clock.rs", "tests/all/support/wait.rs"],
        in_tests: false,
        why: "tests wait for a condition (support::wait), they do not sleep",
    },
    Banned {
        words: &[
            &["unsafe", " {"],
            &["unsafe", " fn"],
            &["unsafe", " impl"],
            &["unsafe", " extern"],
        ],
        home: &["src/sys.rs", "src/sys/", "tests/all/support/place.rs"],
        in_tests: false,
        why: "unsafe stays behind the fence src/sys",
    },
    Banned {
        words: &[&["mongodb", "::"], &["bson", "::"]],
        home: &["src/store.rs", "src/store/"],
        in_tests: true,
        why: "MongoDB has one home, src/store",
    },
    Banned {
        words: &[&["process::", "Command"], &["Command::", "new("]],
        home: &["src/sys.rs", "src/sys/", "build.rs"],
        in_tests: true,
        why: "commands run behind the fence src/sys",
    },
    Banned {
        words: &[
            &["Deserial", "ize,"],
            &["Deserial", "ize)"],
            &["Serial", "ize,"],
            &["Serial", "ize)"],
        ],
        home: &["src/api.rs", "src/api/", "src/store.rs", "src/store/", "src/config.rs"],
        in_tests: true,
        why: "wire types live in src/api, stored types in src/store",
    },
    Banned {
        words: &[&["inner", "HTML"], &["outer", "HTML"], &["insertAdjacent", "HTML"]],
        home: &[],
        in_tests: true,
        why: "the console builds no markup from text",
    },
    Banned {
        words: &[
            &["/wo", "rk/"],
            &["/ro", "ot/"],
            &["registry.npm", "js.org"],
            &["files.python", "hosted"],
        ],
        home: &[],
        in_tests: false,
        why: "no path of one machine, no address of a registry",
    },
];

/// Modules of `src`, from the ground up: one may use those of its own floor and below.
const FLOORS: &[&[&str]] = &[
    &["base", "limits"],
    &["sys", "thread", "config"],
    &["api", "http", "domain", "pki", "mongod"],
    &["edge", "store"],
    &["liveness", "bus"],
    &["ground", "queue", "pool", "succession", "tasks"],
    &["vpn"],
    &["internal"],
    &["node"],
    &["cli", "main"],
];

/// The edge talks to strangers: it can not reach the store, and its imports show it.
const EDGE_MAY_USE: &[&str] = &["base", "sys", "thread", "config", "limits", "http", "api", "edge"];

#[test]
fn the_project_is_tidy() {
    let files = Project::read();
    assert!(files.0.len() > 50, "found only {} files", files.0.len());
    let mut findings = Vec::new();
    for (path, text) in &files.0 {
        findings.extend(banned_words(path, text));
        findings.extend(long_lines(path, text));
        findings.extend(long_files(path, text));
        if path.ends_with(".rs") {
            findings.extend(front_page(path, text));
            findings.extend(long_functions(path, text));
            findings.extend(unproven_panics(path, text));
            findings.extend(wrong_floor(path, text));
            findings.extend(silent_allows(path, text));
        }
    }
    findings.extend(files.unused());
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// All files people write, by path.
struct Project(Vec<(String, String)>);

impl Project {
    fn read() -> Project {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        collect(root, &mut paths);
        let name = |path: &Path| {
            path.strip_prefix(root).expect("inside").to_str().expect("a plain name").to_owned()
        };
        let text = |path| fs::read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let mut files: Vec<_> =
            paths.iter().map(|path| (name(path), text(path).unwrap_or_default())).collect();
        files.sort();
        Project(files)
    }

    /// Files that no other file names: forgotten ones.
    fn unused(&self) -> Vec<String> {
        self.0
            .iter()
            .filter(|(path, _)| !self.is_used(path))
            .map(|(path, _)| path)
            .map(unused)
            .collect()
    }

    fn is_used(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().expect("a name");
        // What tools and people look for by its name.
        let known = !path.contains('/')
            || path.starts_with('.')
            || name.ends_with(".test.js")
            || name.starts_with("package");
        let mut others = self.0.iter().filter(|(other, _)| other != path);
        known
            || match name.strip_suffix(".rs") {
                Some("main" | "lib" | "mod" | "tidy") => true,
                Some(module) => others.any(|(_, text)| declares(text, module)),
                None => others.any(|(_, text)| text.contains(name)),
            }
    }
}

fn unused(path: &String) -> String {
    format!("{path}: nobody uses this file")
}

fn declares(text: &str, module: &str) -> bool {
    let line = format!("mod {module};");
    text.lines().any(|l| l.trim_end().ends_with(&line))
}

/// What is not written here: build products, downloads, other people's work.
const FOREIGN: &[&str] = &["target", ".git", ".deps", "node_modules", "vendor", "test-output"];

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if FOREIGN.iter().any(|foreign| entry.file_name() == *foreign) {
            continue;
        }
        if path.is_dir() { collect(&path, paths) } else { paths.push(path) }
    }
}

fn is_test(path: &str) -> bool {
    ["tests/", "benches/"].iter().any(|folder| path.starts_with(folder))
        || path.ends_with("/tests.rs")
        || path.contains("/tests/")
}

/// The lines that are product code, numbered from one: those above `#[cfg(test)]`.
fn product<'a>(path: &str, text: &'a str) -> Vec<(usize, &'a str)> {
    let end = if is_test(path) { 0 } else { usize::MAX };
    let lines = (1..).zip(text.lines()).take(end);
    lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]").collect()
}

fn banned_words(path: &str, text: &str) -> Vec<String> {
    let code =
        [".rs", ".js", ".sh", ".html", ".css", "Makefile", ".md", ".toml", ".json", ".ci/run"];
    if !code.iter().any(|kind| path.ends_with(kind)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for rule in BANNED.iter().filter(|rule| !rule.home.iter().any(|home| path.starts_with(home))) {
        let lines: Vec<(usize, &str)> =
            if rule.in_tests { product(path, text) } else { (1..).zip(text.lines()).collect() };
        for (number, line) in lines {
            for word in rule.words.iter().map(|parts| parts.concat()) {
                if line.contains(&word) {
                    findings.push(format!("{path}:{number}: `{word}`: {}", rule.why));
                }
            }
        }
    }
    findings
}

fn long_lines(path: &str, text: &str) -> Vec<String> {
    let checked = [".rs", ".js", ".css", ".sh", "Makefile", ".ci/run"];
    // Drawings have no better place to be broken.
    let drawings = path == "console/parts/icon.js";
    if drawings || !checked.iter().any(|kind| path.ends_with(kind)) {
        return Vec::new();
    }
    let long = |line: &str| line.chars().count() > LINE_MAX;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| long(line));
    lines.map(|(number, _)| format!("{path}:{number}: over {LINE_MAX} columns")).collect()
}

fn long_files(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let code = [".rs", ".js", ".css"].iter().any(|kind| path.ends_with(kind));
    (code && lines > FILE_LINES_MAX).then(|| format!("{path}: {lines} lines, split it"))
}

fn front_page(path: &str, text: &str) -> Option<String> {
    (!text.starts_with("//! ")).then(|| format!("{path}:1: no `//!` says what this file is"))
}

/// Relies on rustfmt: a function ends at the first closing brace of its own indentation.
fn long_functions(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut findings = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| starts_function(line)) {
        let indentation = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indentation));
        let length = lines[start..].iter().position(|line| *line == end).map_or(0, |n| n + 1);
        if length > FUNCTION_LINES_MAX {
            findings.push(format!("{path}:{}: a function of {length} lines", start + 1));
        }
    }
    findings
}

fn starts_function(line: &str) -> bool {
    let line = line.trim_start();
    let is_comment = line.starts_with("//");
    !is_comment && line.split('(').next().is_some_and(|head| format!(" {head}").contains(" fn "))
}

/// `unwrap`, `expect` and their like panic; each needs a proof that it does not.
fn unproven_panics(path: &str, text: &str) -> Vec<String> {
    let lines = product(path, text);
    let panics = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        [".unwrap()", ".expect(", "unreachable!("].iter().any(|word| code.contains(word))
    };
    let proven = |at: usize| {
        lines[at.saturating_sub(4)..=at].iter().any(|(_, line)| line.contains("// INVARIANT:"))
    };
    let unproven = |(at, (_, line)): &(usize, &(usize, &str))| panics(line) && !proven(*at);
    let found = lines.iter().enumerate().filter(unproven);
    found
        .map(|(_, (number, _))| format!("{path}:{number}: may panic, and no `// INVARIANT:`"))
        .collect()
}

fn silent_allows(path: &str, text: &str) -> Vec<String> {
    let word = ["allow", "("].concat();
    let silent = |line: &str| line.trim_start().starts_with('#') && line.contains(&word);
    let lines: Vec<&str> = text.lines().collect();
    let reasoned = |at: usize| lines[at..].iter().take(5).any(|line| line.contains("reason = "));
    let found = (0..lines.len()).filter(|at| silent(lines[*at]) && !reasoned(*at));
    found.map(|at| format!("{path}:{}: allowed without a reason", at + 1)).collect()
}

fn wrong_floor(path: &str, text: &str) -> Vec<String> {
    let Some(inside) = path.strip_prefix("src/") else { return Vec::new() };
    let module = inside.trim_end_matches(".rs").split('/').next().expect("a name");
    if module == "lib" {
        return Vec::new();
    }
    let Some(floor) = floor_of(module) else {
        return vec![format!("{path}: which floor of tests/tidy.rs does `{module}` belong to?")];
    };
    let mut findings = Vec::new();
    for (number, line) in product(path, text) {
        let code = line.split("//").next().unwrap_or_default();
        for used in code.split("crate::").skip(1).map(first_word) {
            let allowed = match floor_of(used) {
                _ if used == module => true,
                Some(below) if module != "edge" => below <= floor,
                Some(_) => EDGE_MAY_USE.contains(&used),
                None => true,
            };
            if !allowed {
                findings.push(format!("{path}:{number}: `{module}` may not use `{used}`"));
            }
        }
    }
    findings
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// Each rule fails for what it names, and only for that.
mod rules_can_fail {
    use super::*;

    #[test]
    fn banned_words_are_found_outside_their_home() {
        let sleep = ["    std::thread::", "sleep(d);\n"].concat();
        assert_eq!(banned_words("src/bus.rs", &sleep).len(), 2);
        assert!(banned_words("src/base/clock.rs", &sleep).is_empty());
        assert_eq!(banned_words("tests/all/bus.rs", &sleep).len(), 1, "tests do not sleep either");

        let print = ["fn x() {\n    print", "ln!(\"x\");\n}\n"].concat();
        assert_eq!(banned_words("src/bus.rs", &print).len(), 1);
        assert!(banned_words("src/cli.rs", &print).is_empty());
        let in_tests = format!("#[cfg(test)]\n{print}");
        assert!(banned_words("src/bus.rs", &in_tests).is_empty());
        assert!(banned_words("src/bus/tests.rs", &print).is_empty());

        for row in BANNED {
            let word = row.words[0].concat();
            assert!(!banned_words("src/other.rs", &word).is_empty(), "{word}");
        }
    }

    #[test]
    fn lengths_are_counted() {
        let wide = "│".repeat(LINE_MAX);
        assert!(long_lines("src/bus.rs", &wide).is_empty(), "columns, not bytes");
        assert_eq!(long_lines("src/bus.rs", &format!("{wide}.")).len(), 1);
        assert!(long_files("src/bus.rs", &"\n".repeat(FILE_LINES_MAX)).is_none());
        assert!(long_files("src/bus.rs", &"\n".repeat(FILE_LINES_MAX + 1)).is_some());

        let body = |lines: usize| {
            format!("    pub fn f() {{\n{}    }}\n}}\n", "        x();\n".repeat(lines))
        };
        assert!(long_functions("src/bus.rs", &body(FUNCTION_LINES_MAX - 2)).is_empty());
        assert_eq!(long_functions("src/bus.rs", &body(FUNCTION_LINES_MAX - 1)).len(), 1);
    }

    #[test]
    fn every_file_and_exception_explains_itself() {
        assert!(front_page("src/bus.rs", "//! The bus.\n").is_none());
        assert!(front_page("src/bus.rs", "use std::fs;\n").is_some());
        assert_eq!(silent_allows("src/bus.rs", "#[allow(dead_code)]\nfn f() {}\n").len(), 1);
        let reasoned = "#[allow(\n    dead_code,\n    reason = \"why\"\n)]\n";
        assert!(silent_allows("src/bus.rs", reasoned).is_empty());
    }

    #[test]
    fn panics_need_a_proof() {
        assert_eq!(unproven_panics("src/bus.rs", "    x.unwrap();\n").len(), 1);
        assert_eq!(unproven_panics("src/bus.rs", "    x\n        .expect(\"y\");\n").len(), 1);
        let proven = "    // INVARIANT: x is never empty.\n    x.unwrap();\n";
        assert!(unproven_panics("src/bus.rs", proven).is_empty());
        assert!(unproven_panics("src/bus.rs", "#[cfg(test)]\nx.unwrap();\n").is_empty());
        assert!(unproven_panics("src/bus.rs", "    x.unwrap_or(1);\n").is_empty());
    }

    #[test]
    fn dependencies_point_down() {
        assert_eq!(wrong_floor("src/bus.rs", "use crate::vpn::Server;\n").len(), 1);
        assert_eq!(wrong_floor("src/base/clock.rs", "use crate::sys::fd;\n").len(), 1);
        assert!(wrong_floor("src/vpn/mesh.rs", "use crate::bus::Bus;\n").is_empty());
        assert_eq!(wrong_floor("src/edge/gate.rs", "use crate::domain::user;\n").len(), 1);
        assert!(wrong_floor("src/edge/gate.rs", "use crate::api::route;\n").is_empty());
        assert_eq!(wrong_floor("src/novelty.rs", "").len(), 1, "a new module needs a floor");
    }

    #[test]
    fn forgotten_files_are_found() {
        let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        let project = Project(vec![
            file("src/bus.rs", "pub mod tail;\n"),
            file("src/lib.rs", "pub mod bus;\n"),
            file("src/bus/tail.rs", ""),
            file("src/bus/old.rs", "// mod old; is what a parent would say\n"),
            file("console/old.css", ""),
        ]);
        assert_eq!(
            project.unused(),
            ["src/bus/old.rs", "console/old.css"].map(|p| unused(&p.to_owned()))
        );
    }
}
