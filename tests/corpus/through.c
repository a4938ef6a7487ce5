/* sudo and doas of the stub world: they start what they are given, with no other rights. */
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int i = 1;

	for (; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (argv[i][0] == '-') {
			if (argv[i][1] && argv[i][2] == '\0' && strchr("ugCpDRTrtUh", argv[i][1]))
				i++;
			continue;
		}
		if (strchr(argv[i], '=') == NULL)
			break;
		putenv(argv[i]);
	}
	if (i >= argc)
		return 0;
	execvp(argv[i], argv + i);
	perror(argv[i]);
	return 127;
}
