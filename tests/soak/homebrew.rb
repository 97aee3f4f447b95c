# Runs the formula on any system: `ruby homebrew.rb FORMULA KEG PYTHON UV`. It has what this formula uses of Homebrew's
# formula class, no more: an unknown word is an error. Prints the caveats; the service is a line `service: {...}`.
require "fileutils"
require "pathname"
require "socket"

class Pathname
  alias to_str to_s # as Homebrew has it

  def install_symlink(target)
    mkpath
    (self/target.basename).make_symlink(target)
  end
end

module Utils
  def self.popen_read(*command) = IO.popen(command.map(&:to_s), err: File::NULL, &:read)
end

class ServiceBlock
  attr_reader :told

  def initialize = @told = {}
  def opt_bin = Pathname("opt/bin")
  def var = Pathname("var")
  def std_service_path_env = "prefix/bin:/usr/bin"

  %i[run keep_alive throttle_interval stop_timeout process_type environment_variables working_dir log_path error_log_path].each do |name|
    define_method(name) { |*values, **options| @told[name] = values.empty? ? options : values.first }
  end
end

class Formula
  KEG, PYTHON, UV = ARGV[1..].map { |path| Pathname(path) }

  class << self
    %i[desc homepage url sha256 license head depends_on preserve_rpath].each { |name| define_method(name) { |*, **| nil } }

    def service(&block)
      ServiceBlock.new.tap { |made| made.instance_eval(&block) }.told.then { |told| puts "service: #{told}" }
    end

    def test(&block) = define_method(:run_test, &block)
  end

  def bin = KEG/"bin"
  def libexec = KEG/"libexec"
  def var = Pathname("var")
  def formula_opt_bin(name) = { "python@3.12" => PYTHON, "uv" => UV }.fetch(name).dirname
  def generate_completions_from_executable(command, shell_parameter_format:) = completions(command, shell_parameter_format)

  def completions(command, format)
    raise "not Typer's way: #{format}" if format != :typer

    ENV["_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"] = "1"
    %w[bash zsh fish].each { |shell| assert_match "audio-server", shell_output("#{command} --show-completion #{shell}") }
  end

  def system(*command) = Kernel.system(*command.map(&:to_s)) || raise("failed: #{command.join(" ")}")
  def quiet_system(*command) = Kernel.system(*command.map(&:to_s), out: File::NULL, err: File::NULL)
  def free_port = TCPServer.open("127.0.0.1", 0) { |server| server.addr[1] }

  def shell_output(command)
    output = `#{command}`
    $?.success? ? output : raise("failed: #{command}")
  end

  def assert_match(wanted, text)
    found = wanted.is_a?(Regexp) ? wanted.match?(text) : text.include?(wanted)
    raise "#{wanted} is not in: #{text}" unless found
  end
end

load ARGV[0]
formula = Speechmlx.new
formula.install
puts formula.caveats
Dir.chdir(Formula::KEG) { formula.run_test }
puts "The formula's test passed"
