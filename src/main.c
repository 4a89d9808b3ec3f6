#include <config.h>

#include "build-source.h"
#include "command/command.h"

int main(int argc, char **argv)
{
	return command_main(argc, argv, DESKBRIDGE_SOURCE);
}
