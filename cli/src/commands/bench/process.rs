//! What a process on this machine uses, from `/proc`; nothing where there is none.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Ticks of `/proc/<pid>/stat` in a second, on every architecture of Linux.
const TICKS: u64 = 100;

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
}

/// What of a process' memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Memory {
    /// The largest resident set so far.
    Peak,
    /// The resident set now.
    Resident,
}

impl Process {
    /// Returns this process.
    pub(super) fn own() -> Self {
        Self {
            pid: std::process::id(),
        }
    }

    /// Returns the process that listens on a port of this machine, if we may see it.
    pub(super) fn listening_on(address: IpAddr, port: u16) -> Option<Self> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).ok());
        let mut tables = tables.into_iter().flatten();
        let inode = tables.find_map(|table| socket_inode(&table, address, port))?;
        let wanted = format!("socket:[{inode}]");
        for entry in fs::read_dir("/proc").ok()?.flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            else {
                continue;
            };
            let Ok(files) = fs::read_dir(entry.path().join("fd")) else {
                continue;
            };
            let mut links = files
                .flatten()
                .filter_map(|fd| fs::read_link(fd.path()).ok());
            if links.any(|link| link.as_os_str() == wanted.as_str()) {
                return Some(Self { pid });
            }
        }
        None
    }

    fn path(self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.pid))
    }

    /// Returns the CPU time used so far, in hundredths of a second.
    pub(super) fn cpu(self) -> Option<Duration> {
        let stat = fs::read_to_string(self.path("stat")).ok()?;
        cpu_ticks(&stat).map(|ticks| Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// Returns the CPU time that the threads alive now have used so far, in nanoseconds.
    pub(super) fn cpu_of_threads(self) -> Option<Duration> {
        let mut sum = 0;
        for task in fs::read_dir(self.path("task")).ok()?.flatten() {
            // A thread may end meanwhile.
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let first = text.split(' ').next().unwrap_or_default();
            sum += first.parse().unwrap_or(0);
        }
        (sum > 0).then(|| Duration::from_nanos(sum))
    }

    /// Returns bytes of memory.
    pub(super) fn memory(self, what: Memory) -> Option<u64> {
        let status = fs::read_to_string(self.path("status")).ok()?;
        let key = match what {
            Memory::Peak => "VmHWM:",
            Memory::Resident => "VmRSS:",
        };
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib << 10)
    }
}

/// Returns user and system ticks. The name before them may hold anything, so the fields are
/// counted from the last parenthesis.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Returns the inode of the socket that listens on the port, on that address or on all.
fn socket_inode(table: &str, address: IpAddr, port: u16) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, state) = (fields.get(1)?, fields.get(3)?);
        let (host, hex_port) = local.split_once(':')?;
        let fits = host.bytes().all(|byte| byte == b'0') || same_address(host, address);
        let listens = *state == "0A" && u16::from_str_radix(hex_port, 16).ok()? == port;
        (fits && listens).then(|| fields.get(9)?.parse().ok())?
    })
}

/// Compares with the hexadecimal words of the kernel's table, each in the machine's byte order.
fn same_address(hex: &str, address: IpAddr) -> bool {
    let octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| {
        let word: [u8; 4] = word.try_into().unwrap_or_default();
        format!("{:08X}", u32::from_ne_bytes(word))
    });
    words.collect::<String>() == hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_name_with_parentheses_and_spaces_hides_no_field() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 9";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_listener_is_found_by_address_and_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0100007F:11F8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31 1\n   1: 0100007F:11F9 0100007F:0001 01 00000000:00000000 00:00000000 00000000  1000        0 32 1\n   2: 00000000:11FA 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 33 1\n";
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let other = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        assert_eq!(socket_inode(table, loopback, 4600), Some(31));
        assert_eq!(socket_inode(table, other, 4600), None);
        assert_eq!(socket_inode(table, loopback, 4601), None);
        assert_eq!(socket_inode(table, other, 4602), Some(33));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_time_and_memory_and_listens_where_it_does() {
        let own = Process::own();
        assert!(own.cpu().is_some());
        assert!(own.memory(Memory::Peak) >= own.memory(Memory::Resident).map(|_| 1));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let found = Process::listening_on(address.ip(), address.port());
        assert_eq!(found, Some(own));
    }
}
