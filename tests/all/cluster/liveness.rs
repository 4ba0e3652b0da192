//! Who is declared dead: whoever is, in time, and nobody else, whatever becomes of the database.

use super::rig::{
    HOSTS, HostNow, Links, MEMBERS, assert_all_live_on, distribution, hosts, is_full, scaled, site,
    try_hosts, wait_beats,
};
use super::slow::Slow;
use crate::needs;
use crate::support::daemon::{Daemon, Home};
use crate::support::http::Http;
use crate::support::totp::unix_time_ms;
use crate::support::wait::{pause, seconds, wait_for, wait_until};
use mongodb::sync::Client;
use std::time::{Duration, Instant};

/// Three times the 4.5 s within which a silent host is declared dead.
const DECLARED_MAX: Duration = Duration::from_millis(13_500);

/// Waits for a declaration; answers how long after its last beat the host was declared dead.
fn wait_declared(client: &Client, name: &str) -> Duration {
    let (host, now_ms) = wait_for(&format!("{name} to be declared dead"), seconds(20), || {
        // Its last beat is by the database's clock, which is this machine's.
        let host = try_hosts(client).ok()?.remove(name)?;
        (!host.alive).then(|| (host, unix_time_ms()))
    });
    Duration::from_millis(u64::try_from(now_ms - host.beat_at).expect("a past beat"))
}

fn wait_alive(client: &Client, name: &str) -> HostNow {
    wait_for(&format!("{name} to be alive"), seconds(20), || {
        try_hosts(client).ok()?.remove(name).filter(|host| host.alive)
    })
}

#[test]
fn a_killed_host_is_declared_dead_in_time_and_no_other() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let mut daemons = site.start(&set);
    let client = set.client();
    let mut times = Vec::new();
    for number in (0..HOSTS.len()).cycle().take(scaled(20, 2)) {
        wait_beats(&set, seconds(15));
        let before = hosts(&client);
        daemons[number].process.kill_9();
        times.push(wait_declared(&client, HOSTS[number]));
        let after = hosts(&client);
        for (name, host) in &after {
            let is_dead = name == HOSTS[number];
            assert_eq!(host.alive, !is_dead, "{name}");
            assert_eq!(host.epoch, before[name].epoch + i64::from(is_dead), "{name}");
        }
        daemons[number] = site.homes[number].start();
        wait_alive(&client, HOSTS[number]);
    }
    println!("figure: declared dead after the last beat: {}", distribution(&times));
    assert!(times.iter().all(|time| *time >= seconds(3)), "too early: {times:?}");
    assert!(times.iter().all(|time| *time <= DECLARED_MAX), "too late: {times:?}");
}

#[test]
fn a_host_that_is_cut_off_is_declared_dead_and_no_other() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let _daemons = site.start(&set);
    let client = set.client();
    let mut times = Vec::new();
    for name in HOSTS.iter().cycle().take(scaled(6, 1)) {
        wait_beats(&set, seconds(15));
        let before = hosts(&client);
        site.lab.cut(name);
        times.push(wait_declared(&client, name));
        // Whoever declared it would go on with others.
        pause(seconds(scaled(6, 3)));
        for (other, host) in hosts(&client) {
            assert_eq!(host.alive, other != *name, "{other}");
            let declared = i64::from(other == *name);
            assert_eq!(host.epoch, before[&other].epoch + declared, "{other}");
        }
        site.heal();
        let back = wait_alive(&client, name);
        assert_eq!(back.epoch, before[*name].epoch + 2, "it begins another life");
    }
    println!("figure: declared dead after the last beat: {}", distribution(&times));
    assert!(times.iter().all(|time| (seconds(3)..DECLARED_MAX).contains(time)), "{times:?}");
}

#[test]
fn a_minute_without_the_database_declares_nobody_dead() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, mut set) = site(Links::Open, 0);
    let _daemons = site.start(&set);
    wait_beats(&set, seconds(15));
    let before = hosts(&set.client());
    site.cut_database();
    pause(seconds(scaled(60, 8)));
    site.heal();
    assert_all_live_on(&site, &set, &before);
    if is_full() {
        // The same once more, as machines that are gone instead of unreachable.
        set.members.iter_mut().for_each(|member| member.kill_9());
        pause(seconds(60));
        set.members.iter_mut().for_each(|member| member.restart());
        set.primary();
        assert_all_live_on(&site, &set, &before);
    }
}

#[test]
fn a_silent_cut_of_the_primary_declares_nobody_dead() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    // Ten seconds until another is elected; one to save time.
    let set = if is_full() { set.with_default_elections() } else { set };
    let _daemons = site.start(&set);
    wait_beats(&set, seconds(15));
    let before = hosts(&set.client());
    let mut times = Vec::new();
    for _ in 0..scaled(5, 1) {
        let primary = set.primary();
        site.lab.cut(MEMBERS[primary]);
        let begin = Instant::now();
        let client = set.members[set.primary_but(primary)].client();
        println!("figure: another primary after {:.1?}", begin.elapsed());
        let seen = hosts(&client);
        wait_until("beats at another primary", seconds(60), || {
            let now = try_hosts(&client).unwrap_or_default();
            !now.is_empty() && now.iter().all(|(name, host)| host.beat > seen[name].beat)
        });
        times.push(begin.elapsed());
        // Nobody may be declared dead for ten seconds; then it would come.
        pause(seconds(scaled(15, 3)));
        for (name, host) in &hosts(&client) {
            assert!(host.alive && host.epoch == before[name].epoch, "{name}: {host:?}");
        }
        site.heal();
        set.wait_in_step();
    }
    println!("figure: beats are acknowledged again after a silent cut: {}", distribution(&times));
    assert_all_live_on(&site, &set, &before);
}

#[test]
fn a_database_as_slow_as_a_silent_one_declares_nobody_dead() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Open, 0);
    let slow = Slow::before(&site.lab, &MEMBERS);
    let _daemons = site.start(&set);
    wait_beats(&set, seconds(15));
    let before = hosts(&set.client());
    slow.set(Duration::from_millis(800));
    pause(seconds(scaled(60, 9)));
    let meanwhile = hosts(&set.client());
    for (name, host) in &meanwhile {
        assert!(host.beat > before[name].beat + 2, "{name} beats, slowly: {before:?} {host:?}");
    }
    slow.set(Duration::ZERO);
    assert_all_live_on(&site, &set, &before);
}

/// How a console shows the host of this name.
fn status(console: &mut Http, name: &str) -> Option<String> {
    let hosts = console.get("/host").ok();
    let host = hosts.as_array()?.iter().find(|host| host["name"] == name)?.clone();
    host["status"].as_str().map(str::to_owned)
}

#[test]
fn a_new_host_and_a_stopped_one_are_known_everywhere_whatever_its_clock_says() {
    needs!(Namespaces, Nft, Mongod, Faketime);
    let (site, set) = site(Links::Cut, 0);
    // The first two know each other; the third has never been there.
    let mut daemons: Vec<Daemon<'_>> = site.homes[..2].iter().map(Home::launch).collect();
    daemons.iter_mut().for_each(Daemon::wait_ready);
    let mut first = site.sign_in(&daemons);
    let begin = Instant::now();
    let mut third = site.homes[2].launch();
    let (mut appeared, mut left) = (Vec::new(), Vec::new());
    for console in &mut first {
        wait_until("the new host", seconds(6), || {
            status(console, "h3").as_deref() == Some("online")
        });
        appeared.push(begin.elapsed());
    }
    println!(
        "figure: a new host appeared {} after the start of its daemon",
        distribution(&appeared)
    );
    third.wait_ready();
    wait_beats(&set, seconds(15));
    assert!(third.stop().success());
    let begin = Instant::now();
    for console in &mut first {
        // Less than it takes to find its silence out.
        wait_until("the end", seconds(2), || status(console, "h3").as_deref() == Some("offline"));
        left.push(begin.elapsed());
    }
    println!("figure: a stopped one was known {} after its end", distribution(&left));
    let hosts = hosts(&set.client());
    assert_eq!(hosts["h3"].epoch, 1, "nobody declared it dead");
}
