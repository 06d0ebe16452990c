package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/warmfront/warmfront/bench/load"
	"github.com/warmfront/warmfront/bench/result"
	"github.com/warmfront/warmfront/bench/server"
)

// objects is how many the row of that name has; -objects says it before anything is measured.
var objects int

// million fills with them and weighs them. They are asked for twice: Traffic Server takes into memory what is read.
var million = &fill{weighed: true, do: func(ctx context.Context, s *server.Server) error {
	return load.Fill(ctx, s.Plain, load.Many(getsOf(s, load.Keys(objects)), nil), server.KeySize, 2*objects)
}}

var zipfOfAll = sync.OnceValue(func() []uint32 { return load.Zipf(objects, 1<<20) })

// allGets are the requests for them by host: they take a hundred megabytes.
var allGets = map[string]*load.Requests{}

func manyMore(s *server.Server) load.Load {
	if allGets[s.Host] == nil {
		allGets[s.Host] = load.Many(getsOf(s, load.Keys(objects)), zipfOfAll())
	}
	requests := allGets[s.Host].From(0)
	if s.Name == oneKey {
		requests = load.One(load.Get(s.Host, load.Keys(1)[0]), 1)
	}
	return &load.Closed{Address: s.Plain, Connections: 64, Requests: requests, Size: server.KeySize}
}

// eachGets are the same one after the other.
var eachGets = map[string]*load.Requests{}

func allOf(s *server.Server) *load.Requests {
	if eachGets[s.Host] == nil {
		eachGets[s.Host] = load.Many(getsOf(s, load.Keys(objects)), nil)
	}
	return eachGets[s.Host].From(0)
}

// settleMemory is for a server to give back what it needed to store.
const settleMemory = 2 * time.Second

// perObject is what each of n objects has added to the server's memory, its body aside if that is there.
func perObject(ctx context.Context, s *server.Server, before, n int) float64 {
	select {
	case <-ctx.Done():
	case <-time.After(settleMemory):
	}
	grown := float64(s.Memory()-before) / float64(n)
	if !s.OnDisk {
		grown -= server.KeySize
	}
	return max(grown, 0) // HAProxy takes all its room at its start
}

// missing is a row of nothing but misses: no run asks for a key that has been asked for.
func missing(name, title string, size int) row {
	return row{name: name, title: title, servers: []string{"Warmfront", "Warmfront on disk", "nginx", "Varnish", "HAProxy", "Traffic Server"}, misses: true, written: true, fresh: true, cacheMiB: 1024,
		load: "64 keep-alive connections, every request for another object, stored as it comes; nginx, Traffic Server and Warmfront on disk write it to a file, too, " +
			"and each begins when the disk is done with what the others have written. The origin is the bench's own, on the generator's core, and bounds how many there are per second",
		make: func(s *server.Server) load.Load {
			return &load.Closed{Address: s.Plain, Connections: 64, Requests: load.Many(getsOf(s, fresh(size)), nil), Size: size}
		}}
}

// asked is how many keys have been given out by fresh.
var asked int

// fresh are keys that nobody has been asked for, as many as no server can be asked for in a run.
func fresh(size int) []string {
	n := 200_000
	if size > 16<<10 {
		n = 30_000
	}
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("/d/%d/m%d", size, asked+i)
	}
	asked += n
	return paths
}

// onDisk are so many objects that next to none of them lies in a server's own memory.
type onDisk struct {
	size, objects int
	order         func() []uint32
}

func filesOf(size, objects int) *onDisk {
	return &onDisk{size, objects, sync.OnceValue(func() []uint32 { return load.Shuffled(objects) })}
}

var (
	disk16k  = filesOf(16<<10, 20_000)
	disk100k = filesOf(100<<10, 4_000)
)

func (d *onDisk) requests(s *server.Server, order []uint32) *load.Requests {
	var paths []string
	for i := range d.objects {
		paths = append(paths, fmt.Sprintf("/d/%d/%d", d.size, i))
	}
	return load.Many(getsOf(s, paths), order)
}

// fill asks for each so often.
func (d *onDisk) fill(times int) *fill {
	return &fill{do: func(ctx context.Context, s *server.Server) error {
		return load.Fill(ctx, s.Plain, d.requests(s, nil), d.size, times*d.objects)
	}}
}

// fromDisk is a row of hits on what has been asked for before.
func fromDisk(name, title string, d *onDisk) row {
	return row{name: name, title: title, servers: []string{"Warmfront on disk", "nginx", "Varnish on disk", "Traffic Server on disk", "the kernel"},
		load: fmt.Sprintf("64 keep-alive connections, %d objects, one as often as the other, in files or mapped from one; the servers' own memory has room for a tenth at most. "+
			"Each has been asked for three times since it was stored, and the kernel has the files in memory, so that it is the way that is measured and not the disk", d.objects),
		fill: d.fill(4),
		make: func(s *server.Server) load.Load {
			return &load.Closed{Address: s.Plain, Connections: 64, Requests: d.requests(s, d.order()), Size: d.size}
		}}
}

// firstFromDisk is a row of hits on what a server has not been asked for since its start.
func firstFromDisk(name, title string, d *onDisk) row {
	return row{name: name, title: title, once: true, servers: []string{"Warmfront on disk", "nginx", "Traffic Server on disk"},
		load: fmt.Sprintf("64 keep-alive connections, %d objects, each once; before, the server is stopped in order and started again: it has nothing of them in its own memory. "+
			"The kernel has the files in memory", d.objects),
		fill: d.fill(1),
		make: func(s *server.Server) load.Load {
			return &load.Closed{Address: s.Plain, Connections: 64, Requests: d.requests(s, d.order()), Size: d.size, Most: d.objects - 64}
		},
		anew: true}
}

// patience is how long a server that was started again is asked for a hit.
const patience = 30 * time.Second

// restarted is one restart. What it counts as CPU is all from the program's start to its first hit.
func restarted(ctx context.Context, b *bench, s *server.Server) (run result.Run, err error) {
	if err := s.Restart(); err != nil {
		return run, err
	}
	began := time.Now()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	misses := 0
	for i := 0; time.Since(began) < patience && ctx.Err() == nil; i++ {
		reached := b.env.Origin.Requests()
		if fetch(client, s, fmt.Sprintf("/k/%d", i%keys)) == nil {
			if b.env.Origin.Requests() == reached {
				run.FirstHit = time.Since(began).Seconds()
				break
			}
			misses++
		}
		time.Sleep(time.Millisecond)
	}
	if run.FirstHit == 0 {
		return run, fmt.Errorf("no hit within %v of its start, %d misses", patience, misses)
	}
	run.Answers, run.Seconds, run.CPU = 1, run.FirstHit, s.Usage().Since(server.Usage{}).Seconds()
	const sample = 1000
	reached := b.env.Origin.Requests()
	if err := load.Fill(ctx, s.Plain, load.Many(getsOf(s, load.Keys(keys)[keys/2:][:sample]), nil), server.KeySize, sample); err != nil {
		return run, err
	}
	run.Kept = 1 - float64(b.env.Origin.Requests()-reached)/sample
	return run, nil
}

func fetch(client *http.Client, s *server.Server, path string) error {
	req, err := http.NewRequest("GET", "http://"+s.Plain.String()+path, nil)
	if err != nil {
		return err
	}
	req.Host = s.Host
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 || n != server.KeySize {
		return fmt.Errorf("%s: %d octets, %w", resp.Status, n, err)
	}
	return nil
}

// counted fills in how many objects there are where a text leaves that open.
func counted(text string) string {
	n := strconv.Itoa(objects)
	for i := len(n) - 3; i > 0; i -= 3 {
		n = n[:i] + "," + n[i:]
	}
	return strings.ReplaceAll(text, "{objects}", n)
}
