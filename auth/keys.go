package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warmfront/warmfront/auth/sigv4"
	"github.com/warmfront/warmfront/internal/durable"
)

// What can be wrong with the file of keys. The file is never overwritten in these cases.
var (
	ErrFileOpen    = errors.New("others than the owner may read or write the file of access keys: chmod 600 it, and replace the keys if they leaked")
	ErrFileCorrupt = errors.New("the file of access keys cannot be understood: mend it, or move it away to have a new key made")
)

// Keys is the store of access keys. Make one with OpenKeys or StaticKeys. All methods may be called
// concurrently; readers take a snapshot and never wait for a writer's fsync.
type Keys struct {
	path string // "" when the keys live in memory only

	byID atomic.Pointer[map[string]AccessKey] // immutable once stored
	mu   sync.Mutex                           // of writers
}

// file is the form on disk.
type file struct{ AccessKeys []AccessKey }

// StaticKeys is a store in memory, for keys from the environment and for tests.
func StaticKeys(keys ...AccessKey) (*Keys, error) {
	k := &Keys{}
	byID, err := index(keys)
	if err != nil {
		return nil, err
	}
	k.byID.Store(&byID)
	return k, nil
}

// OpenKeys reads the store at path. Where there is no file it makes one with a first administrator's
// key, of the user "admin". The directory must exist.
func OpenKeys(path string, now time.Time) (*Keys, error) {
	k := &Keys{path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		first, err := NewAccessKey("admin", Administrator, now)
		if err != nil {
			return nil, err
		}
		return k, k.replace(map[string]AccessKey{first.ID: first})
	}
	if err != nil {
		return nil, fmt.Errorf("access keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: %w", path, info.Mode().Perm(), ErrFileOpen)
	}
	byID, err := load(path)
	if err != nil {
		return nil, err
	}
	k.byID.Store(&byID)
	return k, nil
}

func load(path string) (map[string]AccessKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("access keys: %w", err)
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a misspelt "Role" must not fall back to something
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w (%v)", path, ErrFileCorrupt, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: %w (text after the end)", path, ErrFileCorrupt)
	}
	byID, err := index(f.AccessKeys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w (%w)", path, ErrFileCorrupt, err)
	}
	return byID, nil
}

func index(keys []AccessKey) (map[string]AccessKey, error) {
	byID := map[string]AccessKey{}
	for _, k := range keys {
		if err := k.Check(); err != nil {
			return nil, err
		}
		if _, twice := byID[k.ID]; twice {
			return nil, fmt.Errorf("%s: %w", k.ID, ErrKeyExists)
		}
		byID[k.ID] = k
	}
	return byID, nil
}

// Find returns the key with this id.
func (k *Keys) Find(id string) (AccessKey, bool) {
	key, ok := (*k.byID.Load())[id]
	return key, ok
}

// List returns all keys, oldest first.
func (k *Keys) List() []AccessKey {
	return slices.SortedFunc(maps.Values(*k.byID.Load()), func(a, b AccessKey) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// Lookup is what Gate wants. These keys last, so a session token beside one is not ours.
func (k *Keys) Lookup(id, sessionToken string) (AccessKey, error) {
	key, ok := k.Find(id)
	if !ok || sessionToken != "" {
		return AccessKey{}, sigv4.ErrUnknownKey
	}
	return key, nil
}

// Add stores a key. When it returns nil the key is on disk.
func (k *Keys) Add(key AccessKey) error {
	if err := key.Check(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.Find(key.ID); ok {
		return fmt.Errorf("%s: %w", key.ID, ErrKeyExists)
	}
	next := maps.Clone(*k.byID.Load())
	next[key.ID] = key
	return k.replace(next)
}

// Remove drops a key, but not the last administrator's.
func (k *Keys) Remove(id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.Find(id); !ok {
		return fmt.Errorf("%s: %w", id, ErrNoSuchKey)
	}
	next := maps.Clone(*k.byID.Load())
	delete(next, id)
	for _, left := range next {
		if left.Role == Administrator {
			return k.replace(next)
		}
	}
	return fmt.Errorf("%s: %w", id, ErrLastKey)
}

// replace makes next the truth: first on disk, then in memory.
func (k *Keys) replace(next map[string]AccessKey) error {
	if k.path != "" {
		f := file{AccessKeys: slices.SortedFunc(maps.Values(next), func(a, b AccessKey) int { return strings.Compare(a.ID, b.ID) })}
		data, err := json.MarshalIndent(f, "", "  ")
		if err != nil {
			return err
		}
		if err := durable.Write(k.path, append(data, '\n'), 0o600); err != nil {
			return fmt.Errorf("access keys: %w", err)
		}
	}
	k.byID.Store(&next)
	return nil
}
