package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
)

const (
	keysPath    = "/warmfront/v1/access-keys"
	usersPath   = "/warmfront/v1/users"
	sessionPath = "/warmfront/v1/session"
	listPath    = "/2020-05-31/distribution"
)

// ask sends a request to a control node, again while that answers 503, for they may be agreeing on who leads: its first other answer is the one
// that counts. Without a key it is not signed.
func (c *controls) ask(node int, key aws.Credentials, method, path, body, cookie string) (status int, text string, cookies []*http.Cookie) {
	c.t.Helper()
	var last string
	err := c.all[node].until(patience, func() (bool, error) {
		req, err := http.NewRequest(method, c.all[node].proc.ready.API+path, strings.NewReader(body))
		if err != nil {
			return false, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Warmfront", "1")
		if cookie != "" {
			req.AddCookie(&http.Cookie{Name: "warmfront_session", Value: cookie})
		}
		if key.AccessKeyID != "" {
			sum := sha256.Sum256([]byte(body))
			if err := v4.NewSigner().SignHTTP(c.t.Context(), key, req, hex.EncodeToString(sum[:]), "cloudfront", "us-east-1", time.Now()); err != nil {
				return false, err
			}
		}
		resp, err := c.all[node].web.Do(req)
		if err != nil {
			last = err.Error()
			return false, nil
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if status, text, cookies = resp.StatusCode, string(b), resp.Cookies(); err != nil || status == http.StatusServiceUnavailable {
			last = fmt.Sprint(status, " ", text, err)
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		c.t.Fatalf("control%d, %s %s: %v: %s", node+1, method, path, err, last)
	}
	return status, text, cookies
}

// want is ask, which has to have one of these answers.
func (c *controls) want(what string, node int, key aws.Credentials, method, path, body string, wanted ...int) string {
	c.t.Helper()
	status, text, _ := c.ask(node, key, method, path, body, "")
	if !slices.Contains(wanted, status) {
		c.t.Errorf("control%d, %s: %d %s, not %d", node+1, what, status, text, wanted)
	}
	return text
}

// key makes an access key at a node.
func (c *controls) key(node int, by aws.Credentials, user string) aws.Credentials {
	c.t.Helper()
	var k struct{ ID, Secret string }
	text := c.want("a key is made", node, by, "POST", keysPath, `{"user":"`+user+`","role":"administrator"}`, 201)
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	return aws.Credentials{AccessKeyID: k.ID, SecretAccessKey: k.Secret}
}

// session signs in at a node, or comes back to it with a cookie.
func (c *controls) session(node int, user, cookie string) (back string, key aws.Credentials) {
	c.t.Helper()
	method, body := "POST", `{"user":"`+user+`","password":"long enough"}`
	if cookie != "" {
		method, body = "GET", ""
	}
	status, text, cookies := c.ask(node, aws.Credentials{}, method, sessionPath, body, cookie)
	var in struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	if err := json.Unmarshal([]byte(text), &in); status != 200 || err != nil {
		c.t.Fatalf("control%d, %s of %s's session: %d %s, %v", node+1, method, user, status, text, err)
	}
	for _, x := range cookies {
		cookie = x.Value
	}
	return cookie, aws.Credentials{AccessKeyID: in.Credentials.AccessKeyID, SecretAccessKey: in.Credentials.SecretAccessKey, SessionToken: in.Credentials.SessionToken}
}

// allowed is what was made while some nodes served.
type allowed struct {
	kept, deleted, signedIn aws.Credentials
	cookie                  string
}

// whoMay makes and takes away what lets somebody in, at one of the nodes that serve, and finds it so at the others from the answer on. name is
// a user that there is not.
func (c *controls) whoMay(name string, alive ...int) (a allowed) {
	c.t.Helper()
	ready := c.all[alive[0]].proc.ready
	root := aws.Credentials{AccessKeyID: ready.AccessKeyID, SecretAccessKey: ready.SecretAccessKey}
	for i, at := range alive {
		user := fmt.Sprint(name, at)
		// Conflict: it was made, and its answer was lost in an election.
		c.want("a user is made", at, root, "POST", usersPath, `{"name":"`+user+`","password":"long enough","role":"administrator"}`, 201, 409)
		for _, other := range alive {
			if text := c.want("users", other, root, "GET", usersPath, "", 200); !strings.Contains(text, `"`+user+`"`) {
				c.t.Errorf("control%d does not know %s, who was made at control%d: %s", other+1, user, at+1, text)
			}
		}
		a.kept, a.deleted = c.key(at, root, user), c.key(at, root, user)
		for _, other := range alive {
			c.want("a key that was just made", other, a.deleted, "GET", listPath, "", 200)
		}
		next := alive[(i+1)%len(alive)]
		c.want("a key is deleted", next, a.kept, "DELETE", keysPath+"/"+a.deleted.AccessKeyID, "", 204, 404)
		for _, other := range alive {
			c.want("another key, by which the node reads the journal to its end", other, a.kept, "GET", usersPath, "", 200)
			c.want("a key that was deleted", other, a.deleted, "GET", listPath, "", 403)
		}
		a.cookie, a.signedIn = c.session(at, user, "")
		for _, other := range alive {
			c.want("the credentials of a session", other, a.signedIn, "GET", listPath, "", 200)
			c.session(other, user, a.cookie)
		}
	}
	return a
}

// stillSo finds what was made while a node was away at that node, which is back.
func (c *controls) stillSo(node int, a allowed, user string) {
	c.t.Helper()
	c.want("a key that was made meanwhile", node, a.kept, "GET", listPath, "", 200)
	c.want("a key that was deleted meanwhile", node, a.deleted, "GET", listPath, "", 403)
	c.want("the credentials of a session that was begun meanwhile", node, a.signedIn, "GET", listPath, "", 200)
	c.session(node, user, a.cookie)
}

// sees tells whether a node knows an invalidation that another one has just accepted.
func (c *controls) sees(node int, distribution, id string) error {
	var last error
	err := c.all[node].until(patience, func() (bool, error) {
		ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
		defer cancel()
		_, last = c.all[node].api().GetInvalidation(ctx, &cloudfront.GetInvalidationInput{DistributionId: &distribution, Id: &id})
		var no *types.NoSuchInvalidation
		if errors.As(last, &no) {
			return false, last
		}
		return last == nil, nil
	})
	return errors.Join(err, last)
}
