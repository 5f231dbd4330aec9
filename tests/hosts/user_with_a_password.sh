# A user whose sudo asks for a password. In the row's mount namespace: accounts, rules and tickets are its own.
mkdir -p $HOST/etc && mount -t tmpfs etc $HOST/etc && cp -a /etc/. $HOST/etc && mount --bind $HOST/etc /etc
mkdir -p /run/sudo && mount -t tmpfs tickets /run/sudo
useradd --no-create-home gates-user
echo gates-user:password | chpasswd
echo 'gates-user ALL=(ALL) ALL' > /etc/sudoers.d/gates-user && chmod 440 /etc/sudoers.d/gates-user
mkdir -p $HOST/user/tmp && chown -R gates-user: $HOST/user && chmod 711 $HOST

# The user may read what root has built, wherever that is, and nothing else that others may not.
cat > $HOST/terminal << 'TERMINAL'
cache=${K1S_GATES_CACHE:-$HOME/.cache/k1s-profile-gates}
read="-all,+dac_read_search"
script --return --quiet --command "setpriv --reuid gates-user --regid gates-user --clear-groups \
  --inh-caps $read --ambient-caps $read \
  env HOME=$HOST/user TMPDIR=$HOST/user/tmp XDG_STATE_HOME=$HOST/user/state K1S_GATES_CACHE=$cache \
  sh $HOST/session $*" /dev/null < /dev/null > $HOST/screen || status=$?
cat $HOST/user/errors >&2
cat $HOST/user/output
exit ${status:-0}
TERMINAL
cat > $HOST/session << 'SESSION'
[ -z "${TICKET:-}" ] || echo password | sudo --stdin --prompt= --validate
"$@" > $HOME/output 2> $HOME/errors
SESSION
