package server

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program with all its descendants.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the program has ended
}

// start runs a command pinned to the cores, in a process group of its own: Ctrl-C at the terminal reaches
// the bench only, which then stops its servers in order. Should the bench be killed, so are they.
func start(cores, dir string, command []string) (*process, error) {
	p := &process{name: filepath.Base(command[0]), done: make(chan struct{})}
	p.log = filepath.Join(dir, p.name+".out")
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command("taskset", append([]string{"-c", cores}, command...)...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	go func() { // ends with the program, which stop waits for
		p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the program to end, and after 10 s makes it and whatever descends from it.
func (p *process) stop() {
	all := family(p.cmd.Process.Pid)
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
	for _, m := range all {
		if m.pid != p.cmd.Process.Pid && startOf(m.pid) == m.started {
			syscall.Kill(m.pid, syscall.SIGKILL)
		}
	}
}

// tail is the end of what the program printed.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return ""
	}
	b = bytes.TrimSpace(b)
	return string(b[max(0, len(b)-600):])
}

// member is a process, told from later ones with the same id by when it started.
type member struct {
	pid     int
	started string
}

// family is a process, its group, and all their descendants: those whose parent was killed are in the group still.
func family(root int) []member {
	parents := map[int]int{}
	in := map[int]bool{root: true}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if f := stat(pid); f != nil {
				parents[pid], _ = strconv.Atoi(f[1])
				if f[2] == strconv.Itoa(root) {
					in[pid] = true
				}
			}
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, parent := range parents {
			if in[parent] && !in[pid] {
				in[pid], grown = true, true
			}
		}
	}
	var all []member
	for pid := range in {
		all = append(all, member{pid, startOf(pid)})
	}
	return all
}

// stat is /proc/PID/stat from the state on, the third field; nil when there is no such process.
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
}

func startOf(pid int) string {
	if f := stat(pid); len(f) > 19 {
		return f[19]
	}
	return ""
}

// Usage is CPU time by process. The difference of two is what was used between them.
type Usage map[int]time.Duration

// Usage reads the CPU clocks of all the server's processes, threads that ended included, to the nanosecond:
// the ticks of /proc/PID/stat would be a hundredth of a second.
func (s *Server) Usage() Usage {
	u := Usage{}
	for _, p := range s.processes {
		for _, m := range family(p.cmd.Process.Pid) {
			if t, err := cpuOf(m.pid); err == nil {
				u[m.pid] = t
			}
		}
	}
	return u
}

// Since is the time used since before. A process that began meanwhile counts whole; one that ended does not.
func (u Usage) Since(before Usage) time.Duration {
	var sum time.Duration
	for pid, t := range u {
		sum += t - before[pid]
	}
	return sum
}

// cpuOf reads the CPU clock of another process; how its id is made is in clock_getcpuclockid(3).
func cpuOf(pid int) (time.Duration, error) {
	var t unix.Timespec
	const clockOfProcess = 2
	err := unix.ClockGettime(int32(^pid<<3|clockOfProcess), &t)
	return time.Duration(t.Nano()), err
}

// OwnUsage is the CPU time of the bench itself.
func OwnUsage() time.Duration {
	t, _ := cpuOf(os.Getpid())
	return t
}

// Memory is the physical memory of the server's processes in octets, what they share counted once. The
// kernel's socket buffers are not in it.
func (s *Server) Memory() (octets int) {
	for _, p := range s.processes {
		for _, m := range family(p.cmd.Process.Pid) {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", m.pid))
			_, rest, _ := strings.Cut(string(b), "\nPss:")
			line, _, _ := strings.Cut(rest, "kB")
			kib, _ := strconv.Atoi(strings.TrimSpace(line))
			octets += kib << 10
		}
	}
	return octets
}

// Resident is Memory, with what processes share counted for each: cheap enough to be asked often.
func (s *Server) Resident() (octets int) {
	for _, p := range s.processes {
		for _, m := range family(p.cmd.Process.Pid) {
			b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", m.pid))
			if words := strings.Fields(string(b)); len(words) > 1 {
				n, _ := strconv.Atoi(words[1])
				octets += n * os.Getpagesize()
			}
		}
	}
	return octets
}

// OpenFiles is how many descriptors the server's processes hold.
func (s *Server) OpenFiles() (n int) {
	for _, p := range s.processes {
		for _, m := range family(p.cmd.Process.Pid) {
			entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.pid))
			n += len(entries)
		}
	}
	return n
}
