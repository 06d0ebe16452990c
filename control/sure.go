package control

import (
	"context"
	"time"
)

// surePatience is how long a query waits for where the journal ends. Control nodes that agree anew on who leads take some seconds.
const surePatience = 8 * time.Second

// Sure returns when queries answer from everything that any control node had accepted before the call: what somebody was told to have
// made at another node is not unknown here, nor as it was before. ServiceUnavailable: it cannot be found out at the moment.
func (c *Control) Sure(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, surePatience)
	defer cancel()
	err := c.writer.Sure(short)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &Error{Code: "ServiceUnavailable", Err: err,
		Message: "This control node cannot find out at the moment whether it knows everything that the others have accepted. Ask again, or another one."}
}
