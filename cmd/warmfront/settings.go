package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A process that stays is told what to do by flags, by the environment, and by a file, in this order of precedence. Flags are
// the one list of what there is: a setting of the environment or of the file is a flag by another way, read by the same code.
//
//	--disk-cache 200GiB                      of warmfront edge
//	WARMFRONT_EDGE_DISK_CACHE=200GiB         the same
//	[edge]                                   the same, in a file of TOML; each process reads the table of its name
//	disk-cache = "200GiB"

const settingsLong = `

Every flag can be given in the environment too, as WARMFRONT_%s_ and its name in capitals (--log-level is
WARMFRONT_%s_LOG_LEVEL; where a flag may be repeated, with commas), and in the table [%s] of the file that --config names, under
its name. A flag is above the environment, the environment above the file. warmfront config check FILE checks one,
warmfront config show %s prints what counts and where it comes from.`

// settings are the flags of one command, and where each has its value from.
type settings struct {
	cmd    *cobra.Command
	table  string            // of the file, and name of the process
	file   string            // "": none
	source map[string]string // by flag; what is not there has its default
}

func addSettings(cmd *cobra.Command) *settings {
	s := &settings{cmd: cmd, table: cmd.Name(), source: map[string]string{}}
	cmd.Flags().StringVar(&s.file, "config", "", "`file` with settings, in TOML")
	upper := strings.ToUpper(s.table)
	cmd.Long += fmt.Sprintf(settingsLong, upper, upper, s.table, s.table)
	return s
}

// read gives every flag that the command line leaves out what environment or file say.
func (s *settings) read() error {
	s.visit(func(f *pflag.Flag) {
		if f.Changed {
			s.source[f.Name] = "flag"
		}
	})
	var errs []error
	s.visit(func(f *pflag.Flag) {
		v, ok := os.LookupEnv(s.variable(f.Name))
		if !ok || f.Changed {
			return
		}
		if err := setText(f, v); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.variable(f.Name), err))
		}
		s.source[f.Name] = s.variable(f.Name)
	})
	if s.file != "" {
		errs = append(errs, s.readFile())
	}
	if err := errors.Join(errs...); err != nil {
		return usage("%w", err)
	}
	return nil
}

// visit visits what can be set: everything but what is about this one command line.
func (s *settings) visit(f func(*pflag.Flag)) {
	s.cmd.Flags().VisitAll(func(x *pflag.Flag) {
		if x.Name != "help" && x.Name != "json" { // the second is config show's
			f(x)
		}
	})
}

func (s *settings) variable(flag string) string { return variable(s.table, flag) }

func variable(table, flag string) string {
	return "WARMFRONT_" + strings.ToUpper(table) + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readFile reads the process's table. What is in it and is no setting is refused, all of it by name.
func (s *settings) readFile() error {
	tables, err := readTables(s.file)
	if err != nil {
		return err
	}
	table, ok := tables[s.table]
	if !ok {
		return fmt.Errorf("%s has no table [%s]; it has %s", s.file, s.table, names(tables))
	}
	var errs []error
	for _, name := range sorted(table) {
		f := s.cmd.Flags().Lookup(name)
		switch {
		case name == "config":
			err = errors.New("one file does not name another")
		case f == nil || name == "help":
			err = errors.New("there is no such setting" + s.nearest(name))
		case s.source[name] != "":
			continue // what is above the file has set it
		default:
			err = set(f, table[name])
			s.source[name] = s.file
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: [%s] %s: %w", s.file, s.table, name, err))
		}
	}
	return errors.Join(errs...)
}

// tables are those of a file: one for each kind of process.
type tables map[string]map[string]any

// roleNames are the processes that stay.
var roleNames = []string{"control", "dev", "edge", "relay"}

// mostFile is far more than all settings take.
const mostFile = 1 << 20

func readTables(file string) (tables, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("the file with settings: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	if err != nil {
		return nil, fmt.Errorf("the file with settings: %w", err)
	}
	if len(b) > mostFile {
		return nil, fmt.Errorf("%s is longer than %s", file, size(mostFile))
	}
	return parseTables(file, string(b))
}

func parseTables(file, text string) (tables, error) {
	var all map[string]any
	if _, err := toml.Decode(text, &all); err != nil {
		var at toml.ParseError
		if errors.As(err, &at) {
			return nil, fmt.Errorf("%s, line %d: %s", file, at.Position.Line, at.Message)
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	t := tables{}
	var errs []error
	for _, name := range sorted(all) {
		table, ok := all[name].(map[string]any)
		switch {
		case ok && slices.Contains(roleNames, name):
			t[name] = table
		case ok:
			errs = append(errs, fmt.Errorf("%s: there is no table [%s]: use %s", file, name, brackets(roleNames)))
		default:
			errs = append(errs, fmt.Errorf("%s: %s stands in no table: put it under %s", file, name, brackets(roleNames)))
		}
	}
	return t, errors.Join(errs...)
}

func names(t tables) string {
	if len(t) == 0 {
		return "none"
	}
	return brackets(sorted(t))
}

func brackets(names []string) string { return "[" + strings.Join(names, "], [") + "]" }

func sorted[V any](m map[string]V) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// set gives a flag what TOML says.
func set(f *pflag.Flag, v any) error {
	list, many := f.Value.(pflag.SliceValue)
	switch v := v.(type) {
	case []any:
		if !many {
			return errors.New("it takes one value, not a list")
		}
		var all []string
		for _, one := range v {
			text, err := scalar(one)
			if err != nil {
				return err
			}
			all = append(all, text)
		}
		f.Changed = true
		return list.Replace(all)
	default:
		text, err := scalar(v)
		if err != nil {
			return err
		}
		if many {
			f.Changed = true
			return list.Replace([]string{text})
		}
		return setOne(f, text)
	}
}

func scalar(v any) (string, error) {
	switch v.(type) {
	case string, bool, int64:
		return fmt.Sprint(v), nil
	}
	return "", errors.New("write a text in quotes, a whole number, or true or false")
}

// setText gives a flag what the environment says.
func setText(f *pflag.Flag, text string) error {
	list, many := f.Value.(pflag.SliceValue)
	if !many {
		return setOne(f, text)
	}
	all := strings.Split(text, ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	if text == "" {
		all = nil
	}
	f.Changed = true
	return list.Replace(all)
}

func setOne(f *pflag.Flag, text string) error {
	if err := f.Value.Set(text); err != nil {
		return fmt.Errorf("%q: %w", text, kind(f, err))
	}
	f.Changed = true
	return nil
}

// kind says what a flag wants, instead of what the code's parser says.
func kind(f *pflag.Flag, err error) error {
	switch f.Value.Type() {
	case "bool":
		return errors.New("use true or false")
	case "int":
		return errors.New("use a whole number")
	case "duration":
		return errors.New("use a time as in 10s or 1m30s")
	}
	return err
}

// nearest suggests a setting for a name that is none.
func (s *settings) nearest(name string) string {
	best, least := "", 1+len(name)/2
	s.visit(func(f *pflag.Flag) {
		if d := distance(strings.ReplaceAll(name, "_", "-"), f.Name); d < least && f.Name != "config" {
			best, least = f.Name, d
		}
	})
	if best == "" {
		return "; warmfront " + s.table + " --help lists them"
	}
	return ": is it " + best + "?"
}

// distance is Levenshtein's: how many letters must be changed, put in or taken out.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

var flagName = regexp.MustCompile(`--([a-z][a-z0-9-]*)`)

// traced says of an error about a flag where that has its value from, if not from the command line.
func (s *settings) traced(err error) error {
	if err == nil {
		return nil
	}
	for _, m := range flagName.FindAllStringSubmatch(err.Error(), -1) {
		if from := s.source[m[1]]; from != "" && from != "flag" {
			return hint(err, "--"+m[1]+" is set by "+from+".")
		}
	}
	return err
}
