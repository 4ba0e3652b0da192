//! What `make install` puts on a machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use warren::config::Config;

use crate::needs;
use crate::support::daemon::CAPABILITIES;
use crate::support::place::Place;
use crate::support::temp::TempDir;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

#[test]
fn the_example_configuration_documents_every_key_as_it_is() {
    let example = read("packaging/warren.toml");
    let keys = |text: &str, end: &str, start: &str| -> BTreeSet<String> {
        let lines =
            text.lines().filter_map(|line| line.trim().strip_prefix(start)?.split_once(end));
        lines.map(|(key, _)| key.to_owned()).filter(|key| !key.contains(' ')).collect()
    };
    let source = read("src/config.rs");
    let known = source.split("struct Raw {").nth(1).and_then(|rest| rest.split('}').next());
    let known = keys(known.expect("the keys"), ": Option", "");
    assert_eq!(keys(&example, " = ", "#"), known);

    let dir = TempDir::new("config");
    let load = |text: &str| {
        fs::write(dir.join("warren.toml"), text).expect("a file");
        Config::load(Some(&dir.join("warren.toml")), std::iter::empty()).expect("valid")
    };
    // What is shown is the default, but for the three that have none.
    let shown = |line: &str| {
        let has_default = !["mongodb_uri", "host_name", "public_address"]
            .iter()
            .any(|key| line.starts_with(&format!("#{key} ")));
        if has_default && line.contains(" = ") { line.trim_start_matches('#') } else { "" }
            .to_owned()
    };
    let defaults: Vec<String> = example.lines().map(shown).collect();
    assert_eq!(format!("{:?}", load(&defaults.join("\n"))), format!("{:?}", load("")));
    let all = example.lines().filter(|line| !line.starts_with("# "));
    let all: Vec<&str> = all.map(|line| line.trim_start_matches('#')).collect();
    assert_eq!(load(&all.join("\n")).host_name.as_deref(), Some("vpn1"));
}

#[test]
fn the_unit_grants_what_the_tests_run_with() {
    let unit = read("packaging/warren.service");
    let granted = |key: &str| -> BTreeSet<String> {
        let line = unit.lines().find_map(|line| line.strip_prefix(key)).expect(key);
        line.split(' ').map(|name| name.trim_start_matches("CAP_").to_lowercase()).collect()
    };
    let wanted: BTreeSet<String> = CAPABILITIES.map(str::to_owned).into();
    assert_eq!(granted("AmbientCapabilities="), wanted);
    assert_eq!(granted("CapabilityBoundingSet="), wanted);
}

#[test]
fn installing_and_uninstalling_leaves_the_configuration_only() {
    let dir = TempDir::new("install");
    let run = |action: &str| {
        let mut command = Command::new("scripts/install.sh");
        command
            .arg(action)
            .arg(dir.path())
            .arg("/usr")
            .env("PROGRAM", env!("CARGO_BIN_EXE_warren"));
        let output = command.output().expect("the script");
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(&dir.path().display().to_string()), "{action}: {said}");
    };
    let unit = dir.join("usr/lib/systemd/system/warren.service");
    let config = dir.join("etc/warren/warren.toml");
    run("install");
    assert!(fs::read_to_string(&unit).expect("the unit").contains("ExecStart=/usr/bin/warren run"));
    fs::write(&config, "log_level = \"warn\"\n").expect("the configuration");
    run("install");
    run("uninstall");
    let left = Command::new("find").arg(dir.path()).args(["-type", "f"]).output().expect("find");
    assert_eq!(String::from_utf8_lossy(&left.stdout).trim(), config.display().to_string());
    assert_eq!(fs::read_to_string(&config).expect("kept"), "log_level = \"warn\"\n");
    // Again, for nothing.
    run("uninstall");
    let left = fs::read_dir(dir.path()).expect("a directory").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["etc"], "empty directories are left");
}

#[test]
fn make_run_prints_commands_that_work_in_another_terminal() {
    needs!(Namespaces);
    let place = Place::isolated();
    let given = ["WARREN_LISTEN_HTTPS=[::]:8443", "WARREN_MONGOD=/some where/mongod"];
    let secret = "WARREN_MONGODB_URI=mongodb://u:pw@db/";
    let run = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/run.sh");
    let script = ["env", given[0], given[1], secret, run, "/bin/echo"];
    let output = place.output(&script);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("https://localhost:8443/") && !said.contains("pw@"), "{said}");
    for what in ["default-password", "status", "doctor"] {
        let line = said.lines().find(|line| line.ends_with(what)).expect(what);
        let command = &line[line.find("env ").expect("variables")..];
        // The same command, showing what the program would be given.
        let shown = command.replace(&format!("/bin/echo {what}"), "env");
        let run = |script: &str| {
            place.output(&["env", "-u", "WARREN_MONGOD", secret, "bash", "-c", script])
        };
        let seen = String::from_utf8_lossy(&run(&shown).stdout).into_owned();
        for variable in given.iter().chain([&secret]) {
            assert!(seen.lines().any(|line| line == *variable), "{variable}: {line}");
        }
        let without = place.output(&["bash", "-c", command]);
        assert!(!without.status.success(), "another database: {line}");
    }
}
