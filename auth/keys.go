package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/warmfront/warmfront/auth/sigv4"
)

// What can be wrong with the file of keys of an earlier version.
var (
	ErrFileOpen    = errors.New("others than the owner may read or write the file of access keys: chmod 600 it, and replace the keys if they leaked")
	ErrFileCorrupt = errors.New("the file of access keys cannot be understood: mend it, or move it away to go on without its keys")
)

// Keys are access keys: those of Access, and those that this process was given. All methods may be called concurrently; readers
// take a snapshot.
type Keys struct {
	given map[string]bool                      // never changes
	byID  atomic.Pointer[map[string]AccessKey] // immutable once stored
}

// file is the form on disk.
type file struct{ AccessKeys []AccessKey }

// StaticKeys are keys from the environment and for tests.
func StaticKeys(keys ...AccessKey) (*Keys, error) {
	k := &Keys{given: map[string]bool{}}
	byID, err := index(keys)
	if err != nil {
		return nil, err
	}
	for id := range byID {
		k.given[id] = true
	}
	k.byID.Store(&byID)
	return k, nil
}

// ReadKeys reads the file in which an earlier version kept its keys. It is not changed.
func ReadKeys(path string) ([]AccessKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("access keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %04o: %w", path, info.Mode().Perm(), ErrFileOpen)
	}
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
	if _, err := index(f.AccessKeys); err != nil {
		return nil, fmt.Errorf("%s: %w (%w)", path, ErrFileCorrupt, err)
	}
	return f.AccessKeys, nil
}

// set makes k the key with this id, or makes it none. Keys that were given stay. One call at a time.
func (k *Keys) set(id string, key AccessKey, is bool) {
	if k.given[id] {
		return
	}
	next := maps.Clone(*k.byID.Load())
	if delete(next, id); is {
		next[id] = key
	}
	k.byID.Store(&next)
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
