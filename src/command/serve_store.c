#include <config.h>

#include "command/serve_store.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

/* A file that is open loses its name: that changes its count of links, which is an attribute. */
#define OF_FILE (IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)

int serve_store_watch(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), watched = 0;

	for (size_t i = 0; fd >= 0 && i < sizeof(ends) / sizeof(*ends); i++) {
		CLEANUP(mem_freep) char *file = mem_fmt("%s%s", path, ends[i]);

		watched += inotify_add_watch(fd, file, OF_FILE) >= 0;
	}
	if (watched > 0)
		return fd;
	log_warning(NULL, "the store's files cannot be watched (%s): that they are gone is seen when there is work",
		    strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

void serve_store_read(int fd)
{
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}
