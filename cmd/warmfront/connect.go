package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/warmfront/warmfront/ownapi/client"
)

const (
	envEndpoint = "AWS_ENDPOINT_URL_CLOUDFRONT"
	envKey      = "AWS_ACCESS_KEY_ID"
	envSecret   = "AWS_SECRET_ACCESS_KEY"
	envToken    = "AWS_SESSION_TOKEN"
)

const whereLong = `
Where the server is and who asks comes from the environment, as for the AWS CLI, else from aws.env, which
warmfront dev keeps in its data directory:
  AWS_ENDPOINT_URL_CLOUDFRONT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
With --data, only that directory's aws.env counts; --endpoint is above all.

The exit code is 0 when it is done, 1 when it was refused or failed, 2 for a mistake in the command line.`

// connection is the flags of every command that asks a running Warmfront something.
type connection struct {
	endpoint string
	data     string
	json     bool

	// keys says where the keys came from, for the hint when they are wrong.
	keys string
}

func (c *connection) flags(cmd *cobra.Command, jsonHelp string) {
	f := cmd.Flags()
	f.StringVar(&c.endpoint, "endpoint", "", "`URL` of the API (default $AWS_ENDPOINT_URL_CLOUDFRONT, else as in aws.env)")
	f.StringVar(&c.data, "data", defaultData(), "`directory` of warmfront dev, for its aws.env")
	f.BoolVar(&c.json, "json", false, jsonHelp)
	cmd.Long += "\n" + whereLong
}

// open finds out whom to call, and as whom.
func (c *connection) open(cmd *cobra.Command) (*client.Client, error) {
	path := filepath.Join(c.data, "aws.env")
	file, err := readEnv(path)
	if err != nil {
		return nil, err
	}
	env := os.Getenv
	if cmd.Flags().Changed("data") {
		if file == nil {
			return nil, hint(usage("--data: there is no %s", path), "warmfront dev --data "+c.data+" makes it when it starts.")
		}
		env = func(string) string { return "" }
	}
	cfg := client.Config{Endpoint: first(c.endpoint, env(envEndpoint), file[envEndpoint])}
	switch key, secret := env(envKey), env(envSecret); {
	case key != "" && secret != "":
		cfg.AccessKeyID, cfg.SecretAccessKey, cfg.SessionToken = key, secret, env(envToken)
		c.keys = envKey + " in the environment"
	case key != "" || secret != "":
		return nil, usage("the environment has only one of %s and %s: set both, or none to use those of %s", envKey, envSecret, path)
	default:
		cfg.AccessKeyID, cfg.SecretAccessKey, cfg.SessionToken = file[envKey], file[envSecret], file[envToken]
		c.keys = path
	}
	if cfg.Endpoint == "" || cfg.AccessKeyID == "" {
		return nil, hint(usage("it is not known where Warmfront is, or with which access key to ask it"),
			"On one machine: start warmfront dev, which writes "+path+".",
			"Elsewhere: set "+envEndpoint+", "+envKey+" and "+envSecret+".")
	}
	api, err := client.New(cfg)
	if err != nil {
		return nil, usage("%w", err)
	}
	return api, nil
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// readEnv reads the assignments of a file like aws.env; nil when there is none.
func readEnv(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	env := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export ")
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			env[name] = strings.Trim(value, `"'`)
		}
	}
	return env, nil
}

// wrongKeys are the codes of both APIs that say that the keys are the trouble.
var wrongKeys = []string{"Unauthenticated", "InvalidClientTokenId", "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken"}

// failed says what to do about a failed call.
func (c *connection) failed(err error) error {
	var no *client.Error
	var nobody *client.Unreachable
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.As(err, &nobody):
		return hint(err, "Is Warmfront running there? On one machine, warmfront dev starts it; --endpoint names another place.")
	case !errors.As(err, &no):
		return err
	case no.Code == "ExpiredToken" || no.Code == "Unauthenticated" && strings.HasPrefix(no.Message, "ExpiredToken"):
		return hint(err, "The keys are of a session that is over: take fresh ones. They come from "+c.keys+".")
	case slices.Contains(wrongKeys, no.Code):
		path := filepath.Join(c.data, "aws.env")
		if c.keys == path {
			return hint(err, "The keys come from "+path+", which warmfront dev writes at its start. Has another one been started at the endpoint since?")
		}
		return hint(err, "The keys come from "+c.keys+". For those of warmfront dev: . "+path)
	case no.Code == "AccessDenied":
		return hint(err, "This access key's user may not do that: use a key of a user with a larger role. It comes from "+c.keys+".")
	case no.Code == "":
		return hint(err, "Something else listens there, or a proxy is in between. The endpoint is the URL of the API and the console, not of an edge.")
	}
	return err
}

// find finds a distribution by its id, its domain name or an alias.
func (c *connection) find(ctx context.Context, api *client.Client, name string) (client.Distribution, error) {
	if name == "" {
		return client.Distribution{}, usage("the distribution's name is empty: is the variable set that it comes from?")
	}
	if !strings.ContainsAny(name, "./*") {
		d, err := api.Distribution(ctx, name)
		var no *client.Error
		if err == nil {
			return d, nil
		} else if !errors.As(err, &no) || no.Code != "NoSuchDistribution" {
			return d, c.failed(err)
		}
	}
	all, err := api.Distributions(ctx, 0)
	if err != nil {
		return client.Distribution{}, c.failed(err)
	}
	for _, d := range all {
		if strings.EqualFold(name, d.ID) || strings.EqualFold(name, d.DomainName) ||
			slices.ContainsFunc(d.Aliases, func(a string) bool { return strings.EqualFold(a, name) }) {
			return d, nil
		}
	}
	return client.Distribution{}, hint(fmt.Errorf("there is no distribution %q", name), suggest(all)...)
}

// suggest lists distributions as hints.
func suggest(all []client.Distribution) []string {
	const most = 10
	if len(all) == 0 {
		return []string{"There are no distributions yet: create one in the console, with the AWS CLI or with Terraform."}
	}
	hints := []string{"Name one by its id, domain name or alias:"}
	for i, d := range all {
		if i == most {
			return append(hints, fmt.Sprintf("  and %s more", number(len(all)-most)))
		}
		line := "  " + d.ID + "  " + d.DomainName
		if len(d.Aliases) > 0 {
			line += "  " + few(d.Aliases, 3)
		}
		if d.Comment != "" {
			line += "  (" + d.Comment + ")"
		}
		hints = append(hints, line)
	}
	return hints
}

// printJSON prints one document for a person with jq, or, for lists without end, one per line.
func printJSON(w io.Writer, v any, oneLine bool) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if !oneLine {
		e.SetIndent("", "  ")
	}
	return e.Encode(v)
}
