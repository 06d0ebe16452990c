package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// simulation is the tests of package simulation, compiled. It may be used concurrently.
type simulation struct {
	engine wazero.Runtime
	module wazero.CompiledModule
}

func load(ctx context.Context, wasm []byte) (*simulation, error) {
	s := &simulation{engine: wazero.NewRuntime(ctx)}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, s.engine); err != nil {
		return nil, err
	}
	var err error
	s.module, err = s.engine.CompileModule(ctx, wasm)
	return s, err
}

// history is one that has been run.
type history struct {
	seed, order uint64
	told        []byte
}

func (h *history) digest() []byte {
	sum := sha256.Sum256(h.told)
	return sum[:8]
}

// history runs one, in a world of its own. Its clocks are the engine's default: they go on by the same each time that they are read. An error says that it has found
// something.
func (s *simulation) history(ctx context.Context, seed, order uint64) (*history, error) {
	var out bytes.Buffer
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], order)
	c := wazero.NewModuleConfig().WithName("").WithStdout(&out).WithStderr(&out).WithRandSource(rand.NewChaCha8(key)).
		WithArgs("simulation", "-test.run=^TestSimulation$", "-test.v", "-seed="+strconv.FormatUint(seed, 10))
	m, err := s.engine.InstantiateModule(ctx, s.module, c)
	if m != nil {
		err = errors.Join(err, m.Close(ctx))
	}
	h := &history{seed: seed, order: order, told: out.Bytes()}
	var exit *sys.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() != 0:
		err = errors.New("it has found something")
	case errors.As(err, &exit):
		err = nil
	}
	if err == nil && !bytes.Contains(h.told, []byte("\n--- PASS: TestSimulation ")) {
		err = errors.New("it has not been run")
	}
	return h, err
}

// again runs it once more, and returns an error if it is another one.
func (h *history) again(ctx context.Context, s *simulation) error {
	other, err := s.history(ctx, h.seed, h.order)
	if err != nil || bytes.Equal(h.told, other.told) {
		return err
	}
	a, b := bytes.Split(h.told, []byte("\n")), bytes.Split(other.told, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Errorf("it is another one when it is run again: line %d is\n%s\nand was\n%s", i+1, b[i], a[i])
		}
	}
	return fmt.Errorf("it is another one when it is run again: it has %d lines, and had %d", len(b), len(a))
}
