# weir.m4 - for the configure script of a plugin project
#
#   WEIR_PREREQ([0.1])     fails unless the SDK is at least this version; sets WEIR_CFLAGS, WEIR (the command),
#                          WEIR_ABI                                                            (since 0.1)
#   WEIR_PLUGINS           sets plugindir (where modules go, under this project's own prefix) and
#                          WEIR_PLUGIN_LDFLAGS (for _LDFLAGS of a module library)              (since 0.1)
#
# Example:
#   WEIR_PREREQ([0.1])
#   WEIR_PLUGINS
# and in Makefile.am:
#   plugin_LTLIBRARIES = mine.la
#   mine_la_SOURCES = mine.c
#   mine_la_CFLAGS = $(WEIR_CFLAGS)
#   mine_la_LDFLAGS = -module $(WEIR_PLUGIN_LDFLAGS)

AC_DEFUN([WEIR_PREREQ], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  PKG_CHECK_MODULES([WEIR], [weir >= $1])
  _WEIR_VARIABLE([WEIR_ABI], [abi])
  AC_ARG_VAR([WEIR], [the weir command])
  AS_IF([test -z "$WEIR"], [_WEIR_VARIABLE([WEIR], [weir])])
])

AC_DEFUN([WEIR_PLUGINS], [
  AC_REQUIRE([PKG_PROG_PKG_CONFIG])
  AC_ARG_VAR([plugindir], [where modules are installed])
  AS_IF([test -z "$plugindir"], [plugindir='${libdir}/weir/'$WEIR_ABI])
  AC_SUBST([plugindir])
  WEIR_PLUGIN_LDFLAGS="-module -avoid-version -shared -no-undefined -Wl,-z,defs -Wl,-z,now -export-symbols-regex '^weir_plugin_entry_v1\$\$'"
  AC_SUBST([WEIR_PLUGIN_LDFLAGS])
])

# _WEIR_VARIABLE(SHELL-VARIABLE, PC-VARIABLE)
AC_DEFUN([_WEIR_VARIABLE], [
  $1=`$PKG_CONFIG --variable=$2 weir`
  AC_SUBST([$1])
])
