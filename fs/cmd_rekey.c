#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fs/cmd.h"
#include "fs/graph.h"
#include "fs/statedir.h"

static int
rekey(const struct config *c)
{
	struct graph g;
	int r;

	if (graph_open(c, GRAPH_CLOUD | GRAPH_INDEX | GRAPH_SOURCE, &g) < 0)
		return 1;
	/* A root that is lost cannot be moved; what it sealed is made anew. */
	if ((r = seal_recover(g.seal)) >= 0)
		r = seal_rekey(g.seal, c->seal_key);
	graph_close(&g);
	if (r == -ENOKEY)
		return cmd_fail(1, "the old or the new key is refused; "
		    "sesfs check says which");
	return r < 0 ? cmd_fail(1, "rekey: %s; what was done is kept, run it "
				   "again to go on", strerror(-r)) :
		       0;
}

int
cmd_rekey(const struct config *c)
{
	pid_t pid;
	int fd, r, status;

	if (c->seal_key == NULL)
		return cmd_fail(EXIT_USE, "under which key? give --seal-key");
	if (statedir_create(c->state_dir) < 0)
		return 1;
	r = statedir_lock(c->state_dir, &fd, &pid);
	if (r == -EWOULDBLOCK)
		return cmd_fail(1, "a daemon (pid %d) uses %s; unmount first",
		    (int)pid, c->state_dir);
	if (r < 0)
		return 1;
	status = rekey(c);
	close(fd);
	return status;
}
